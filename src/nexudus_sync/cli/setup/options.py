"""The options of `init` beside those for the connection itself, for typer."""

from typing import Annotated

import typer

Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help=r"A key of \[nexudus] or \[crm.NAME], such as nexudus.username=sync@example.com or crm.token=…. Others on "
        "the machine see it: passwords are better given in the environment.",
        show_default=False,
    ),
]
Stages = Annotated[
    list[str] | None,
    typer.Option("--stage", metavar="NEXUDUS=CRM", help="A stage and its counterpart.", show_default=False),
]
Reasons = Annotated[
    list[str] | None,
    typer.Option("--lost-reason", metavar="NEXUDUS=CRM", help="A lost reason and its counterpart.", show_default=False),
]
TimeZone = Annotated[
    str | None, typer.Option(help="The location's time zone, if Nexudus does not say it.", show_default=False)
]
CreateBoard = Annotated[
    int | None, typer.Option(min=1, help="The id of the board for new cards, if there are several.", show_default=False)
]
CreateProperty = Annotated[
    bool,
    typer.Option(
        "--create-property",
        help="First create the property in which the CRM keeps the id of a copied card, if it lacks one.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Try no login; ask only for names and ids.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace files that exist already.")]
NoInput = Annotated[bool, typer.Option("--no-input", help="Ask nothing; a missing answer is an error.")]

Name = Annotated[str | None, typer.Option(help="The name of the connection.", show_default=False)]
Location = Annotated[
    int | None, typer.Option(min=1, help="The id of the Nexudus location (business).", show_default=False)
]
Board = Annotated[
    int | None, typer.Option(min=1, help="The id of a board, in place of a location.", show_default=False)
]
Kind = Annotated[str | None, typer.Option(help="The kind of CRM.", show_default=False)]
CrmUrl = Annotated[str | None, typer.Option(help="The address of the CRM.", show_default=False)]
Company = Annotated[
    str | None,
    typer.Option(
        "--company",
        "--pipeline",
        help="The CRM's company or pipeline for this location; empty for all.",
        show_default=False,
    ),
]
