"""Reads Triton's config.pbtxt files with Triton's own schema of them, and prints them as JSON, one a line.

    read_model_config.py FILE...
"""

import json
import sys
from pathlib import Path

from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2

for file in sys.argv[1:]:
    # Unknown fields and values of the wrong type are errors.
    config = text_format.Parse(Path(file).read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
    print(json.dumps(json_format.MessageToDict(config, preserving_proto_field_name=True)))
