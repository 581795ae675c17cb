"""Holds Kubernetes and KServe manifests against their schemas.

    validate_manifests.py FILE...

Kubernetes kinds are held against the JSON Schemas of Kubernetes that the package kubernetes-validate has, where unknown fields are
refused; KServe's against the classes of its own Python package, which are made of its OpenAPI schema. Kinds in neither are named on
standard error and not checked. Prints every document as JSON; exits with 1 when one does not fit.
"""

import json
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml
from kserve import models as kserve_models
from kubernetes_validate.utils import schema_contents

KUBERNETES = "1.37"
KSERVE_KINDS = {
    ("serving.kserve.io/v1beta1", "InferenceService"): "V1beta1InferenceService",
    ("serving.kserve.io/v1alpha1", "ServingRuntime"): "V1alpha1ServingRuntime",
}
# Kinds that clients read and no cluster does, or whose schema no package has.
UNCHECKED = {("kustomize.config.k8s.io/v1beta1", "Kustomization"), ("monitoring.coreos.com/v1", "PodMonitor")}
# What KServe's classes call those types of Kubernetes whose names are not theirs.
RENAMED = {
    "K8sIoApiAppsV1DeploymentStrategy": "io.k8s.api.apps.v1.DeploymentStrategy",
    "ResourceQuantity": "io.k8s.apimachinery.pkg.api.resource.Quantity",
    "V1ObjectMeta": "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
}
PLAIN = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float), "object": (object,)}

DEFINITIONS = schema_contents(f"kubernetes-json-schema/v{KUBERNETES}.0-local-strict/_definitions.json", KUBERNETES)["$defs"]


def kubernetes_problems(type_name, value, path):
    """Problems of a part that KServe takes from Kubernetes, as `V1Container`."""
    definition = RENAMED.get(type_name, f"io.k8s.api.core.v1.{type_name[2:]}")
    if definition not in DEFINITIONS:
        return [f"{path}: no schema of {type_name} is known to this check"]
    validator = jsonschema.Draft202012Validator({"$defs": DEFINITIONS, "$ref": f"#/$defs/{definition}"})
    return [f"{path}{error.json_path[1:]}: {error.message}" for error in validator.iter_errors(value)]


def typed_problems(type_name, value, path):
    """Problems of a value that should be of one of KServe's types: a class, `list[T]`, `dict(str, T)` or a plain one."""
    if type_name.startswith("list["):
        if not isinstance(value, list):
            return [f"{path}: {value!r} is no list"]
        return [problem for at, each in enumerate(value) for problem in typed_problems(type_name[5:-1], each, f"{path}[{at}]")]
    if type_name.startswith("dict("):
        if not isinstance(value, dict):
            return [f"{path}: {value!r} is no mapping"]
        return [problem for key, each in value.items() for problem in typed_problems(type_name[10:-1], each, f"{path}.{key}")]
    if type_name in PLAIN:
        fits = isinstance(value, PLAIN[type_name]) and (type_name == "bool" or not isinstance(value, bool) or type_name == "object")
        return [] if fits else [f"{path}: {value!r} is no {type_name}"]
    declared = getattr(kserve_models, type_name, None)
    if declared is None:
        return kubernetes_problems(type_name, value, path)
    return class_problems(declared, value, path)


def class_problems(declared, value, path):
    """Problems of a mapping that should be of one of KServe's classes: unknown, missing and wrong fields."""
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is no {declared.__name__}"]
    fields = {json_name: attribute for attribute, json_name in declared.attribute_map.items()}
    problems = [f"{path}.{name}: {declared.__name__} has no such field" for name in value if name not in fields]
    known = {fields[name]: each for name, each in value.items() if name in fields}
    for attribute, each in known.items():
        problems += typed_problems(declared.openapi_types[attribute], each, f"{path}.{declared.attribute_map[attribute]}")
    try:
        # The class itself refuses to be made without what it must have.
        declared(**known)
    except ValueError as error:
        problems.append(f"{path}: {error}")
    return problems


def problems_of(document):
    """Problems of one document; none where it fits its schema."""
    kind = (document.get("apiVersion"), document.get("kind"))
    if kind in UNCHECKED:
        print(f"not checked: {'/'.join(kind)}", file=sys.stderr)
        return []
    if kind in KSERVE_KINDS:
        return class_problems(getattr(kserve_models, KSERVE_KINDS[kind]), document, kind[1])
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{kind[1]}{error.json_path[1:]}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [error.message]
    return []


def main(files):
    documents, failed = [], False
    for file in files:
        for document in yaml.safe_load_all(Path(file).read_text(encoding="utf-8")):
            documents.append({"file": file, "document": document})
            for problem in problems_of(document):
                failed = True
                print(f"{file}: {problem}", file=sys.stderr)
    print(json.dumps(documents))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
