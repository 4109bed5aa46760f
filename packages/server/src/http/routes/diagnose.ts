// The route that finds out what is wrong with a webhook's receiver. It stores nothing and changes nothing.
import { formatId } from "@posthorn/contract";
import type { z } from "zod";
import type { Catalogue } from "../../catalogue/catalogue.ts";
import type { Diagnoses, Diagnosis } from "../../deliver/diagnose.ts";
import type { Webhook } from "../../storage/configuration.ts";
import { type Answer, failure, success } from "../answer.ts";
import { shownRequest, testAnswer } from "../read/shown-request.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { diagnosisBody, diagnosisRecord } from "../schemas/diagnosis.ts";
import { noWebhook, payloadOf, type WebhookTestsFace, withWebhook } from "./webhook-actions.ts";

export interface DiagnosesFace {
  readonly diagnoses: Pick<Diagnoses, "diagnose">;
  readonly catalogue: Pick<Catalogue, "expand">;
  readonly nowMs: () => number;
}

export function diagnoseRoutes(face: DiagnosesFace, tests: WebhookTestsFace): OrdinaryRoute[] {
  return [
    route({
      method: "POST",
      path: "/webhooks/{id}/diagnose",
      scope: "write:webhooks",
      summary: "Find out what is wrong with a receiver: DNS, guard, connection, TLS, credentials, a test request.",
      tag: "Webhooks",
      body: diagnosisBody,
      bodyOptional: true,
      answer: { status: 200, data: diagnosisRecord },
      errors: ["UNKNOWN_EVENT_TYPE", "OVERLOADED"],
      handle: (call) => withWebhook(call, (uuid) => diagnose(face, tests, call, uuid)),
    }),
  ];
}

async function diagnose(
  face: DiagnosesFace,
  tests: WebhookTestsFace,
  call: Call<undefined, z.output<typeof diagnosisBody>>,
  uuid: string,
): Promise<Answer> {
  const { principal, body } = call;
  const webhook = await tests.findWebhook(principal.tenantId, uuid);
  if (webhook === null || webhook.status === "deleted" || webhook.livemode !== principal.livemode) return noWebhook();
  const type = body.send === false ? null : (body.event ?? exampleTypeOf(face.catalogue, webhook));
  let subject = null;
  if (type !== null) {
    const payload = await payloadOf(tests, principal, webhook, { event: type });
    // A type of the webhook's own list that has no example is no reason not to look at the rest.
    if ("kind" in payload && body.event !== undefined) return payload;
    const idBytes = tests.newId();
    const event = {
      idBytes,
      publicId: formatId("event", idBytes),
      type,
      timestamp: tests.timestampOfEvent(idBytes),
      livemode: principal.livemode,
      retentionClass: principal.retentionClass,
    };
    if (!("kind" in payload)) {
      subject = { webhook, event: { ...event, ...payload }, deliveryBytes: tests.newId(), number: 1 };
    }
  }
  const diagnosed = await face.diagnoses.diagnose(webhook, subject);
  if (diagnosed.kind === "busy") return { ...failure("OVERLOADED"), headers: { "retry-after": "1" } };
  return success(diagnosisView(diagnosed.diagnosis, face.nowMs()));
}

/** The first type that the webhook hears and that has an example. */
function exampleTypeOf(catalogue: DiagnosesFace["catalogue"], webhook: Webhook): string | null {
  for (const pattern of webhook.events) {
    const [first] = catalogue.expand(pattern);
    if (first !== undefined) return first;
    if (!pattern.includes("*")) return pattern;
  }
  return null;
}

function diagnosisView(diagnosis: Diagnosis, nowMs: number): Record<string, unknown> {
  const { tested } = diagnosis;
  return {
    verdict: diagnosis.verdict,
    steps: diagnosis.steps.map(({ step, status, message, durationMs }) => ({
      step,
      status,
      message,
      durationMs: durationMs === null ? null : Math.round(durationMs),
    })),
    address: diagnosis.address,
    protocol: diagnosis.protocol,
    certificates: diagnosis.chain.map(({ subject, issuer, names, validFromMs, expiresAtMs }) => ({
      subject,
      issuer,
      names,
      validFrom: new Date(validFromMs).toISOString(),
      expiresAt: new Date(expiresAtMs).toISOString(),
      daysLeft: Math.floor((expiresAtMs - nowMs) / 86_400_000),
    })),
    test:
      tested === null ? null : { ...testAnswer(tested.outcome, tested.result), request: shownRequest(tested.request) },
  };
}
