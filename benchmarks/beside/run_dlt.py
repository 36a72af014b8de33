"""dlt's runner: `run_dlt.py SPEC`, in the peers' environment.

Its REST source, as its documentation builds one: a list, and a dependent resource with a call for each row. It is run
to the end (extract, normalize, load) into JSON lines in a local folder, the destination that costs it least: there is
no database, and no type to cast. Kind to it as well: only the full records are loaded, nested values stay JSON in their
row instead of becoming tables of their own, nothing is compressed, logged or reported.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
}

import dlt
import requests
from dlt.sources.rest_api import rest_api_source


def source(spec: dict[str, Any]) -> Any:
    """The list and the full records."""
    form = {"grant_type": "password", "username": spec["username"], "password": spec["password"]}
    token = requests.post(spec["base_url"] + "/token", data=form, timeout=60).json()["access_token"]
    path = spec["list"].lstrip("/")
    return rest_api_source(
        {
            "client": {"base_url": spec["base_url"] + "/", "auth": {"type": "bearer", "token": token}},
            "resource_defaults": {"write_disposition": "append", "max_table_nesting": 0, "parallelized": True},
            "resources": [
                {
                    "name": "listed",
                    "selected": False,
                    "endpoint": {
                        "path": path,
                        "params": spec["params"],
                        "data_selector": "Records",
                        "paginator": {
                            "type": "page_number",
                            "base_page": 1,
                            "page_param": "page",
                            "total_path": "TotalPages",
                        },
                    },
                },
                {
                    "name": "opportunities",
                    "primary_key": "Id",
                    "endpoint": {"path": path + "/{resources.listed.Id}", "paginator": "single_page"},
                },
            ],
        }
    )


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(spec["folder"])
    os.environ["EXTRACT__WORKERS"] = str(spec["connections"])
    os.environ["EXTRACT__MAX_PARALLEL_ITEMS"] = str(spec["connections"] * 4)
    pipeline = dlt.pipeline(
        "beside",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.filesystem(bucket_url=(folder / "bucket").as_uri()),
        dataset_name="nexudus",
    )
    pipeline.run(source(spec), loader_file_format="jsonl")
    files = (folder / "bucket").glob("nexudus/opportunities/*.jsonl")
    read = sum(file.read_bytes().count(b"\n") for file in files)
    (folder / "outcome.json").write_text(json.dumps({"records": read}))


if __name__ == "__main__":
    main()
