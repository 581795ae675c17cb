"""The same export behind FastAPI.

Arguments: export folder, engine (onnxruntime or torch), mode (expanded or broadcast), port, processes. `expanded` is a model as
people write it: every candidate is a row with its own copy of the user; `broadcast` uses the export's own inputs, the user once.
PyTorch runs `torch_model.py`, on the export's weights.
"""
import json
import os
import socket
import sys

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from uvicorn.supervisors import Multiprocess

from scoring import open_export


def create(folder, engine, mode):
    encoder, run = open_export(folder, engine)
    app = FastAPI()

    @app.get("/readyz")
    def ready():
        return "ready"

    @app.post("/v1/score")
    async def score(request: Request):
        feeds = encoder(orjson.loads(await request.body()))
        outputs = run(encoder.expanded(feeds) if mode == "expanded" else feeds)
        return Response(orjson.dumps({"scores": {name: values.tolist() for name, values in outputs.items()}}), media_type="application/json")

    return app


if __name__ == "__main__":
    folder, engine, mode, port, processes = sys.argv[1:]
    os.environ["PEER"] = json.dumps([folder, engine, mode])
    config = uvicorn.Config("fastapi_peer:app", host="127.0.0.1", port=int(port), workers=int(processes), log_level="warning")
    # A socket that several processes share has Nagle's algorithm on unless told otherwise: 40 ms for each answer.
    listening = config.bind_socket()
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    Multiprocess(config, sockets=[listening]).run()
elif "PEER" in os.environ:
    app = create(*json.loads(os.environ["PEER"]))
