"""Scores infer calls with Triton's clients: REST with JSON and with bytes, and gRPC.

usage: oip_triton.py CASES HTTP_ADDRESS GRPC_ADDRESS
"""

import sys

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from google.protobuf.json_format import MessageToDict
from oip_cases import read_cases, tell


def check_told(client, to_dict, models):
    """The server and its models are there, and known to the client."""
    assert client.is_server_live() and client.is_server_ready()
    assert to_dict(client.get_server_metadata())["name"] == "onefold"
    for model in models:
        assert client.is_model_ready(model) and client.is_model_ready(model, "1")
        metadata = to_dict(client.get_model_metadata(model))
        assert metadata["name"] == model and metadata["outputs"][0]["datatype"] == "FP32", metadata
    index = to_dict(client.get_model_repository_index())
    listed = index if isinstance(index, list) else index["models"]
    assert {model["name"] for model in listed} == set(models), index


def check_error(client, module, status):
    """Errors come as the client's own, with the server's text."""
    wrong = module.InferInput("price", [2], "FP32")
    wrong.set_data_from_numpy(np.zeros(2, np.float32))
    try:
        client.infer("none", [wrong])
    except triton_http.InferenceServerException as error:
        assert 'no model "none" is loaded' in str(error), error
        assert error.status() == status, error.status()
    else:
        raise AssertionError("a model that is not there was not refused")


def scores_of(result, outputs):
    return {name: result.as_numpy(name) for name in outputs}


def main(cases_file, http_address, grpc_address):
    cases = read_cases(cases_file)
    models = sorted({model for model, _, _ in cases})
    http = triton_http.InferenceServerClient(http_address)
    grpc = triton_grpc.InferenceServerClient(grpc_address)
    check_told(http, lambda told: told, models)
    check_told(grpc, MessageToDict, models)
    check_error(http, triton_http, "404")
    check_error(grpc, triton_grpc, "StatusCode.NOT_FOUND")
    answers = {"REST, JSON": [], "REST, bytes": [], "REST, bytes asked by name": [], "REST, gzip": [], "gRPC": [], "gRPC, gzip": []}
    for model, request_id, tensors in cases:

        def inputs(module, **how):
            made = []
            for name, datatype, array in tensors:
                tensor = module.InferInput(name, list(array.shape), datatype)
                tensor.set_data_from_numpy(array, **how)
                made.append(tensor)
            return made

        outputs = [output["name"] for output in http.get_model_metadata(model)["outputs"]]
        as_json = [triton_http.InferRequestedOutput(name, binary_data=False) for name in outputs]
        by_name = [triton_http.InferRequestedOutput(name) for name in outputs]
        answers["REST, JSON"].append(scores_of(http.infer(model, inputs(triton_http, binary_data=False), outputs=as_json, request_id=request_id), outputs))
        answers["REST, bytes"].append(scores_of(http.infer(model, inputs(triton_http), request_id=request_id), outputs))
        answers["REST, bytes asked by name"].append(scores_of(http.infer(model, inputs(triton_http), model_version="1", outputs=by_name, timeout=5_000_000), outputs))
        answers["REST, gzip"].append(scores_of(http.infer(model, inputs(triton_http), request_compression_algorithm="gzip", response_compression_algorithm="gzip"), outputs))
        result = grpc.infer(model, inputs(triton_grpc), request_id=request_id)
        assert result.get_response().id == request_id and result.get_response().model_version == "1"
        answers["gRPC"].append(scores_of(result, outputs))
        answers["gRPC, gzip"].append(scores_of(grpc.infer(model, inputs(triton_grpc), compression_algorithm="gzip"), outputs))
    tell(answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
