"""Scores infer calls with KServe's clients: REST with JSON and with bytes, and gRPC.

usage: oip_kserve.py CASES HTTP_ADDRESS GRPC_ADDRESS
"""

import asyncio
import sys

from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from oip_cases import read_cases, tell


def request_of(model, request_id, tensors, binary, parameters=None):
    inputs = []
    for name, datatype, array in tensors:
        tensor = InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array, binary_data=binary)
        inputs.append(tensor)
    return InferRequest(model_name=model, request_id=request_id, infer_inputs=inputs, parameters=parameters)


def scores_of(answer):
    return {output.name: output.as_numpy() for output in answer.outputs}


async def main(cases_file, http_address, grpc_address):
    cases = read_cases(cases_file)
    url = f"http://{http_address}"
    rest = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
    grpc = InferenceGRPCClient(grpc_address)
    assert await rest.is_server_live(url) and await rest.is_server_ready(url)
    assert await grpc.is_server_live() and await grpc.is_server_ready()
    answers = {"REST, JSON": [], "REST, bytes": [], "gRPC, contents": [], "gRPC, raw": []}
    for model, request_id, tensors in cases:
        assert await rest.is_model_ready(url, model) and await grpc.is_model_ready(model)
        by_rest = [
            ("REST, JSON", request_of(model, request_id, tensors, False)),
            ("REST, bytes", request_of(model, request_id, tensors, True, {"binary_data_output": True})),
        ]
        for way, request in by_rest:
            answer = await rest.infer(url, request, model_name=model)
            # The client does not keep the version of REST answers.
            assert answer.id == request_id and answer.model_name == model, answer
            answers[way].append(scores_of(answer))
        for way, binary in (("gRPC, contents", False), ("gRPC, raw", True)):
            answer = await grpc.infer(request_of(model, request_id, tensors, binary))
            assert answer.id == request_id and answer.model_version == "1", answer
            answers[way].append(scores_of(answer))
    await grpc.close()
    await rest.close()
    tell(answers)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
