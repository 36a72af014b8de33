"""How `init` connects two systems: answers, questions, logins, the pairing of names, and the files it writes."""
