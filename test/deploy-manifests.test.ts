/** Manifests of deploy/ against the schemas of Kubernetes and KServe, and against each other. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const PYTHON = process.env['ONEFOLD_PYTHON'] ?? 'python3';
const VALIDATOR = fileURLToPath(new URL('python/validate_manifests.py', import.meta.url));
const DEPLOY = fileURLToPath(new URL('../deploy', import.meta.url));
const filesOf = (folder: string): readonly string[] => readdirSync(join(DEPLOY, folder)).map((file) => join(DEPLOY, folder, file));

const canValidate = spawnSync(PYTHON, ['-c', 'import kubernetes_validate, kserve']).status === 0;
if (!canValidate) {
  console.warn('NOT TESTED: manifests of deploy/, because python3 lacks the packages of test/python/requirements.txt; ONEFOLD_PYTHON names one that has them');
}

interface Labels {
  readonly matchLabels: Readonly<Record<string, string>>;
}

interface Container {
  readonly image: string;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly securityContext: unknown;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: unknown;
  readonly containers: readonly [Container];
  readonly volumes: readonly { readonly name: string; readonly persistentVolumeClaim?: { readonly claimName: string } }[];
}

/** As much of each kind as is looked at here. */
interface Documents {
  readonly Deployment: { readonly spec: { readonly selector: Labels; readonly template: { readonly metadata: { readonly labels: Readonly<Record<string, string>> }; readonly spec: PodSpec } } };
  readonly Service: { readonly spec: { readonly selector: Readonly<Record<string, string>>; readonly ports: readonly { readonly targetPort: string }[] } };
  readonly PodDisruptionBudget: { readonly spec: { readonly selector: Labels } };
  readonly HorizontalPodAutoscaler: { readonly spec: { readonly minReplicas: number; readonly scaleTargetRef: { readonly kind: string; readonly name: string } } };
  readonly NetworkPolicy: {
    readonly spec: { readonly podSelector: Labels; readonly ingress: readonly { readonly from?: unknown; readonly ports: readonly { readonly port: string }[] }[] };
  };
  readonly PodMonitor: { readonly spec: { readonly selector: Labels; readonly podMetricsEndpoints: readonly [{ readonly port: string }] } };
  readonly PersistentVolumeClaim: { readonly metadata: { readonly name: string } };
  readonly Kustomization: { readonly resources: readonly string[]; readonly images: readonly [{ readonly name: string }] };
}

const validate = (...files: readonly string[]): { readonly exit: number | null; readonly stdout: string; readonly stderr: string } => {
  const { status, stdout, stderr } = spawnSync(PYTHON, [VALIDATOR, ...files], { encoding: 'utf8' });
  return { exit: status, stdout, stderr };
};

/** Changes to a manifest that make it wrong, and what is then said. */
const WRONG = [
  ['kubernetes/deployment.yaml', '  strategy:', '  replicas: "two"\n  strategy:', 'Deployment.spec.replicas'],
  ['kubernetes/deployment.yaml', 'readOnlyRootFilesystem', 'readonlyRootFilesystem', "'readonlyRootFilesystem' was unexpected"],
  ['kubernetes/service.yaml', 'port: 80\n', 'port: http\n', 'Service.spec.ports[0].port'],
  ['kubernetes/service.yaml', 'apiVersion: v1', 'apiVersion: v2', "Couldn't find schema for kind Service"],
  ['kserve/inference-service.yaml', 'minReplicas: 2', 'minReplicas: "2"', 'InferenceService.spec.predictor.minReplicas'],
  ['kserve/inference-service.yaml', 'containerPort: 8081', 'containerPort: grpc', 'InferenceService.spec.predictor.model.ports[0].containerPort'],
  ['kserve/custom-predictor.yaml', '- name: kserve-container', '- called: kserve-container', "'name' is a required property"],
  ['kserve/serving-runtime.yaml', 'supportedModelFormats', 'supportedModelFormat', 'ServingRuntime.spec.supportedModelFormat: V1alpha1ServingRuntimeSpec has no such field'],
  ['kserve/triton.yaml', 'modelFormat:', 'format:', 'InferenceService.spec.predictor.model.format'],
] as const;

describe.skipIf(!canValidate)('manifests', () => {
  let scratch: string;
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'onefold-manifests-'));
  });
  afterAll(() => {
    rmSync(scratch, { recursive: true, force: true });
  });

  it('fit the schemas of Kubernetes and KServe', () => {
    const { exit, stderr } = validate(...filesOf('kubernetes'), ...filesOf('kserve'));
    expect(exit, stderr).toBe(0);
    // These are the only kinds that have no schema here.
    expect(stderr.trim().split('\n').sort()).toEqual(['not checked: kustomize.config.k8s.io/v1beta1/Kustomization', 'not checked: monitoring.coreos.com/v1/PodMonitor']);
  });

  it('that are wrong are refused', () => {
    const written = WRONG.map(([file, from, to], index) => {
      const text = readFileSync(join(DEPLOY, file), 'utf8');
      expect(text).toContain(from);
      const wrong = join(scratch, `${index}.yaml`);
      writeFileSync(wrong, text.replace(from, to));
      return wrong;
    });
    const { exit, stderr } = validate(...written);
    expect(exit).toBe(1);
    const saidOf = written.map((file) => stderr.split('\n').filter((line) => line.startsWith(`${file}: `)).join('\n'));
    for (const [index, [, , , said]] of WRONG.entries()) expect(saidOf[index]).toContain(said);
  });

  describe('for Kubernetes', () => {
    let documents: Documents;
    let pod: PodSpec;
    let container: Container;
    beforeAll(() => {
      const parsed = JSON.parse(validate(...filesOf('kubernetes')).stdout) as readonly { readonly document: { readonly kind: string } }[];
      documents = Object.fromEntries(parsed.map(({ document }) => [document.kind, document])) as unknown as Documents;
      pod = documents.Deployment.spec.template.spec;
      container = pod.containers[0];
    });

    it('mean the same pods', () => {
      const { labels } = documents.Deployment.spec.template.metadata;
      const { Deployment, Service, PodDisruptionBudget, NetworkPolicy, PodMonitor } = documents;
      const selectors = [Deployment.spec.selector.matchLabels, Service.spec.selector, PodDisruptionBudget.spec.selector.matchLabels, NetworkPolicy.spec.podSelector.matchLabels, PodMonitor.spec.selector.matchLabels];
      for (const selector of selectors) expect(selector).toEqual(labels);
      expect(documents.HorizontalPodAutoscaler.spec).toMatchObject({ minReplicas: 2, scaleTargetRef: { kind: 'Deployment', name: 'onefold' } });
    });

    it('mean ports that there are, and keep the admin port from all but monitoring', () => {
      const names = container.ports.map(({ name }) => name);
      expect(names).toEqual(['http', 'grpc', 'admin']);
      expect(documents.Service.spec.ports.map(({ targetPort }) => targetPort)).toEqual(['http', 'grpc']);
      for (const { httpGet } of [container.startupProbe, container.readinessProbe, container.livenessProbe]) expect(httpGet.port).toBe('http');
      expect(container.readinessProbe.httpGet.path).toBe('/readyz');
      expect(container.livenessProbe.httpGet.path).toBe('/healthz');
      expect(documents.PodMonitor.spec.podMetricsEndpoints[0].port).toBe('admin');
      const open = documents.NetworkPolicy.spec.ingress.filter(({ from }) => from === undefined).flatMap(({ ports }) => ports.map(({ port }) => port));
      expect(open).toEqual(['http', 'grpc']);
    });

    it('mount what they declare', () => {
      expect(container.volumeMounts.map(({ name }) => name).sort()).toEqual(pod.volumes.map(({ name }) => name).sort());
      expect(pod.volumes.find(({ name }) => name === 'registry')?.persistentVolumeClaim?.claimName).toBe(documents.PersistentVolumeClaim.metadata.name);
    });

    it('may run where the pod security standard is "restricted"', () => {
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(container.securityContext).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
      expect(pod.automountServiceAccountToken).toBe(false);
    });

    it('are all in the kustomization, but the one that needs the Prometheus operator', () => {
      const others = ['kustomization.yaml', 'pod-monitor.yaml'];
      expect([...documents.Kustomization.resources].sort()).toEqual(filesOf('kubernetes').map((file) => basename(file)).filter((file) => !others.includes(file)).sort());
      expect(documents.Kustomization.images[0].name).toBe(container.image);
    });
  });
});
