// What a run of the fuzzer did, from its report: requests by operation and status, so that a run that only met refusals
// is seen for what it is.
import { readFileSync } from "node:fs";

/** @param {string} path of Schemathesis' report in NDJSON */
export function summaryOf(path) {
  const byOperation = new Map();
  let failures = 0;
  let requests = 0;
  for (const line of readFileSync(path, "utf8").split("\n")) {
    if (line === "") continue;
    const { ScenarioFinished: finished } = JSON.parse(line);
    if (finished === undefined) continue;
    const { recorder } = finished;
    for (const [id, { response }] of Object.entries(recorder.interactions ?? {})) {
      const { method, path: template } = recorder.cases?.[id]?.value ?? {};
      const name = template === undefined ? recorder.label : `${method} ${template}`;
      const counts = byOperation.get(name) ?? new Map();
      const status = String(response?.status_code ?? "no answer");
      counts.set(status, (counts.get(status) ?? 0) + 1);
      byOperation.set(name, counts);
      requests += 1;
    }
    for (const checks of Object.values(recorder.checks ?? {})) {
      failures += checks.filter((check) => check.status === "failure").length;
    }
  }
  return { byOperation, failures, requests };
}

/**
 * Operations of the document that never succeeded.
 * @param {{ paths: Record<string, Record<string, unknown>> }} document
 */
export function neverSucceeded(byOperation, document) {
  return Object.entries(document.paths)
    .flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`))
    .filter((name) => ![...(byOperation.get(name)?.keys() ?? [])].some((status) => status.startsWith("2")));
}
