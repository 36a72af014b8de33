"""Names, titles and notes that look like a coworking operator's."""

import random
import re
import unicodedata

from nexudus_sandbox.nexudus.enums import LOSS_REASONS


def _words(text: str, separator: str = " ") -> tuple[str, ...]:
    return tuple(text.split(separator))


FIRST = _words(
    "Zoë Ángel Søren Łukasz Inês Jürgen Chloé Siobhán Núria Agnès Dvořák Ōtani Priya Kwame Fatima Ingrid Björk "
    "Małgorzata Renée Tomáš Élodie Ramón Aoife Yusuf Mei Olumide Camille Þóra Gonçalo Anaïs"
)
LAST = _words(
    "Muñoz García-Núñez O’Brien Håkansson Dąbrowski Gonçalves Müller Lefèvre Ní-Dhomhnaill Puig Sánchez Novák Tanaka "
    "Iyer Mensah El-Amrani Lindström Jónsdóttir Wójcik Côté Okafor Ribeiro Schäfer Brontë Öztürk Nguyễn Da-Silva Smith"
)
TRADES = _words(
    "Studio|Labs|Légal|Films|Café & Co.|Ingeniería|Søn ApS|Partners LLP|Robotics|Design Ltd|Architekten|Médias|Foods|"
    "Analytics|Éditions",
    "|",
)
PRODUCTS = _words(
    "Dedicated desks|Private office|Hot desk pass|Meeting room package|Virtual office|Event space|Team suite|"
    "Day passes|Project room|Podcast studio",
    "|",
)
SENTENCES = (
    "Called on Monday: keen, but the budget is only signed off after the board meets.",
    "Wants “quiet, not silent”; showed the 3rd floor – loved the light.",
    "Ceník poslán e-mailem; čeká na odpověď.",
    "Needs step-free access, two parking spaces & 24/7 entry.",
    "Le contrat actuel prend fin en septembre ; préavis de 3 mois.",
    "Asked for 10 % off on a 12-month term <said we can do 5 %>.",
    "Referred by a member on the 2nd floor 😀.",
    "¿Puede empezar el lunes? Pendiente de confirmación.",
)
CAMPAIGNS = ("spring-2025", "café_launch", "remarketing", "brand", "été 2025", "partners & friends")
SOURCES = (("google", "cpc"), ("newsletter", "email"), ("linkedin", "paid-social"), ("partner", "referral"))


def readable(name: str) -> str:
    """An enum member's name in words: PoorQualification → Poor qualification."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


REASONS = {number: readable(name) for number, name in LOSS_REASONS.items()}
"""Loss reasons as a CRM spells them."""


def person_name(rng: random.Random) -> str:
    """A full name, accents and all."""
    return f"{rng.choice(FIRST)} {rng.choice(LAST)}"


def email_of(name: str, number: int) -> str:
    """An address nobody else has, as long as `number` differs."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    local = re.sub(r"[^a-z]+", ".", folded).strip(".") or "contact"
    return f"{local}.{number}@example.{'org' if number % 3 == 0 else 'com'}"


def organisation(rng: random.Random) -> str:
    """A company's name."""
    return f"{rng.choice(LAST)} {rng.choice(TRADES)}"


def notes(rng: random.Random) -> str | None:
    """Nothing, a line, or a long history of calls."""
    kind = rng.random()
    if kind < 0.5:
        return None
    if kind < 0.85:
        return rng.choice(SENTENCES)
    return "\r\n\r\n".join(f"{day:02d}/03: {rng.choice(SENTENCES)}" for day in range(1, rng.randint(20, 60)))
