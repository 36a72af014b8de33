"""airbyte-cdk's runner: `run_airbyte.py SPEC`, in the peers' environment.

A source as a manifest: a list, and a substream with a call for each of its rows, read by the concurrent source that the
CDK runs manifests with. Its entrypoint does the read and writes every message as it does for a platform: a line of JSON
for each record. Kind to it: schemas are not validated, and the output goes to a file.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from airbyte_cdk.entrypoint import AirbyteEntrypoint, launch
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

SCHEMA = {"type": "object", "properties": {}, "additionalProperties": True}


def manifest(spec: dict[str, Any]) -> dict[str, Any]:
    """The list and the full records."""

    def requester(path: str, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "HttpRequester",
            "url_base": spec["base_url"],
            "path": path,
            "http_method": "GET",
            "request_parameters": {name: str(value) for name, value in params.items()},
            "authenticator": {
                "type": "SessionTokenAuthenticator",
                "expiration_duration": "P6D",
                "login_requester": {
                    "type": "HttpRequester",
                    "url_base": spec["base_url"],
                    "path": "/token",
                    "http_method": "POST",
                    "authenticator": {"type": "NoAuth"},
                    "request_body_data": {
                        "grant_type": "password",
                        "username": spec["username"],
                        "password": spec["password"],
                    },
                },
                "session_token_path": ["access_token"],
                "request_authentication": {"type": "Bearer"},
            },
        }

    def stream(name: str, retriever: dict[str, Any]) -> dict[str, Any]:
        loader = {"type": "InlineSchemaLoader", "schema": SCHEMA}
        return {
            "type": "DeclarativeStream",
            "name": name,
            "primary_key": ["Id"],
            "schema_loader": loader,
            "retriever": {"type": "SimpleRetriever", **retriever},
        }

    def selector(path: list[str]) -> dict[str, Any]:
        return {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": path}}

    listed = stream(
        "listed",
        {
            "requester": requester(spec["list"], spec["params"]),
            "record_selector": selector(["Records"]),
            "paginator": {
                "type": "DefaultPaginator",
                "page_token_option": {
                    "type": "RequestOption",
                    "inject_into": "request_parameter",
                    "field_name": "page",
                },
                "pagination_strategy": {
                    "type": "PageIncrement",
                    "start_from_page": 1,
                    "page_size": spec["params"]["size"],
                    "inject_on_first_request": True,
                },
            },
        },
    )
    parent = {"type": "ParentStreamConfig", "stream": listed, "parent_key": "Id", "partition_field": "one"}
    opportunities = stream(
        "opportunities",
        {
            "requester": requester(spec["list"] + "/{{ stream_partition.one }}", {}),
            "record_selector": selector([]),
            "partition_router": {"type": "SubstreamPartitionRouter", "parent_stream_configs": [parent]},
        },
    )
    return {
        "version": "7.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["listed"]},
        "streams": [opportunities],
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
        "concurrency_level": {
            "type": "ConcurrencyLevel",
            "default_concurrency": spec["connections"],
            "max_concurrency": spec["connections"],
        },
    }


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(spec["folder"])
    (folder / "config.json").write_text("{}")
    stream = {"name": "opportunities", "json_schema": SCHEMA, "supported_sync_modes": ["full_refresh"]}
    wanted = {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "append"}
    (folder / "catalog.json").write_text(json.dumps({"streams": [wanted]}))
    arguments = ["read", "--config", str(folder / "config.json"), "--catalog", str(folder / "catalog.json")]
    catalog = AirbyteEntrypoint.extract_catalog(arguments)
    from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer

    source = ConcurrentDeclarativeSource(
        catalog=ConfiguredAirbyteCatalogSerializer.load(json.loads(Path(str(catalog)).read_text())),
        config={},
        state=None,
        source_config=manifest(spec),
    )
    with (folder / "messages.jsonl").open("w") as file:
        os.dup2(file.fileno(), 1)  # the CDK has its own hold of the standard output
    launch(source, arguments)
    read = (folder / "messages.jsonl").read_bytes().count(b'"type":"RECORD"')
    (folder / "outcome.json").write_text(json.dumps({"records": read}))


if __name__ == "__main__":
    main()
