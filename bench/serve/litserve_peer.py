"""The same export behind LitServe, the user once. Arguments: export folder, engine (onnxruntime or torch), port, workers."""
import os
import signal
import sys
from typing import Annotated

import orjson
from fastapi import Depends, Request, Response
from litserve import LitAPI, LitServer

from scoring import open_export


async def body_of(request: Request):
    return await request.body()


class Scorer(LitAPI):
    def __init__(self, folder, engine):
        super().__init__(api_path="/v1/score")
        self.folder, self.engine = folder, engine

    def setup(self, device):
        self.encoder, self.run = open_export(self.folder, self.engine)

    # As bytes: a parsed body takes longer to get from the HTTP process to a worker than to parse there.
    def decode_request(self, request: Annotated[bytes, Depends(body_of)]):
        return self.encoder(orjson.loads(request))

    def predict(self, feeds):
        return self.run(feeds)

    # A whole answer: FastAPI would go through a dictionary's numbers one by one.
    def encode_response(self, output) -> Response:
        return Response(orjson.dumps({"scores": {name: values.tolist() for name, values in output.items()}}), media_type="application/json")


if __name__ == "__main__":
    folder, engine, port, workers = sys.argv[1:]
    # LitServe ends its processes when it is interrupted, and leaves them behind when it is terminated.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    # Without batching: batches of four took more time, not less. `fast_queue` is what the documentation advises for speed; LitServe
    # 0.2.19 takes it and goes on with its other queue.
    server = LitServer(Scorer(folder, engine), accelerator="cpu", workers_per_device=int(workers), fast_queue=True, timeout=False, disable_openapi_url=True)
    server.run(host="127.0.0.1", port=int(port), log_level="warning", generate_client_file=False)
