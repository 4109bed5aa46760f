// What is wrong with a webhook's receiver? Goes the way of a delivery step by step, through the guarded client only, and
// ends with a verdict and one next step. Must never dial what the guard refuses, show a secret, or store anything.
import { hasExpression } from "../expressions/text-template.ts";
import type { Clock } from "../lib/clock.ts";
import type { OutboundClient } from "../security/outbound/client.ts";
import type { Inspection } from "../security/outbound/inspect.ts";
import type { SendResult } from "../security/outbound/result.ts";
import type { Webhook } from "../storage/configuration.ts";
import { type Finding, findingOf, findingOfStatus } from "./diagnose-words.ts";
import type { OneRequests, RequestSubject, Tested } from "./one-request.ts";
import { type OpenSecret, type PreparedWebhook, prepareWebhook } from "./request.ts";

export type StepName = "webhook" | "dns" | "guard" | "connect" | "tls" | "credentials" | "request";

export interface Step {
  readonly step: StepName;
  readonly status: "passed" | "warning" | "failed" | "skipped";
  readonly message: string;
  readonly durationMs: number | null;
}

export interface ChainLink {
  readonly subject: string;
  readonly issuer: string;
  readonly names: readonly string[];
  readonly validFromMs: number;
  readonly expiresAtMs: number;
}

export interface Diagnosis {
  readonly verdict: {
    readonly status: "ok" | "warning" | "failed";
    /** The step that decides. */
    readonly step: StepName;
    readonly message: string;
    /** Null when there is nothing to do. */
    readonly nextStep: string | null;
  };
  readonly steps: readonly Step[];
  /** `ip:port` that was dialled. */
  readonly address: string | null;
  readonly protocol: string | null;
  readonly chain: readonly ChainLink[];
  /** The test request; null when none was sent. */
  readonly tested: Extract<Tested, { kind: "tested" }> | null;
}

export type Diagnosed = { readonly kind: "diagnosed"; readonly diagnosis: Diagnosis } | { readonly kind: "busy" };

export interface DiagnosesOptions {
  readonly clock: Clock;
  readonly outbound: Pick<OutboundClient, "inspect">;
  readonly requests: Pick<OneRequests, "test">;
  readonly openSecret: OpenSecret;
}

/** From then on a certificate that runs out is worth a warning. */
export const CERTIFICATE_WARNING_MS = 14 * 86_400_000;
/** Each looks names up and dials: people press buttons one at a time. */
const MAX_UNDER_WAY = 16;

interface Found {
  readonly step: Step;
  readonly nextStep: string | null;
}

export class Diagnoses {
  readonly #options: DiagnosesOptions;
  #underWayCount = 0;

  constructor(options: DiagnosesOptions) {
    this.#options = options;
  }

  /** @param subject what a test request is made of; null sends none */
  async diagnose(webhook: Webhook, subject: RequestSubject | null): Promise<Diagnosed> {
    if (this.#underWayCount >= MAX_UNDER_WAY) return { kind: "busy" };
    this.#underWayCount += 1;
    try {
      return await this.#diagnose(webhook, subject);
    } finally {
      this.#underWayCount -= 1;
    }
  }

  async #diagnose(webhook: Webhook, subject: RequestSubject | null): Promise<Diagnosed> {
    const { clock, outbound, openSecret, requests } = this.#options;
    const prepared = await prepareWebhook(webhook, openSecret).catch(() => null);
    const inspection = await outbound.inspect({
      url: originOf(webhook.url),
      timeoutMs: webhook.timeoutMs,
      allowedIps: prepared?.allowedIps ?? null,
    });
    const found = [statusStep(webhook), ...waySteps(inspection, clock.nowMs()), credentialsStep(webhook, prepared)];
    let tested: Tested | null = null;
    const mayTest = subject !== null && inspection.failure === null && prepared !== null;
    if (mayTest) {
      tested = await requests.test(subject, false);
      if (tested.kind === "busy") return tested;
    }
    found.push(requestStep(webhook, tested, subject !== null));
    const { address, protocol, chain } = inspection;
    return {
      kind: "diagnosed",
      diagnosis: {
        verdict: verdictOf(found),
        steps: found.map(({ step }) => step),
        address,
        protocol,
        chain,
        tested: tested?.kind === "tested" ? tested : null,
      },
    };
  }
}

/** Of a URL with expressions the host is fixed; there is no path to it before there is an event. */
function originOf(url: string): string {
  return hasExpression(url) && URL.canParse(url) ? `${new URL(url).origin}/` : url;
}

/** The first failure decides, then the first warning. */
function verdictOf(found: readonly Found[]): Diagnosis["verdict"] {
  for (const status of ["failed", "warning"] as const) {
    const worst = found.find(({ step }) => step.status === status);
    if (worst !== undefined) {
      return { status, step: worst.step.step, message: worst.step.message, nextStep: worst.nextStep };
    }
  }
  const last = found.findLast(({ step }) => step.status === "passed") as Found;
  const message =
    last.step.step === "request"
      ? "Everything works: the receiver took the test request."
      : "The way to the receiver is free. No test request was sent.";
  return { status: "ok", step: last.step.step, message, nextStep: null };
}

function statusStep({ status, disabledReason }: Webhook): Found {
  if (status === "paused") {
    const message = "The webhook is paused: its deliveries are held.";
    return warned("webhook", message, "Resume it (POST /v1/webhooks/{id}/resume) when the receiver is ready.");
  }
  if (status === "disabled") {
    const why = disabledReason === "owner" || disabledReason === null ? "" : ` (${disabledReason})`;
    const nextStep = "When the receiver works, set `active` to true, then replay what it missed.";
    return warned("webhook", `The webhook is disabled${why}: events are not matched.`, nextStep);
  }
  return passed("webhook", "The webhook is enabled.", null);
}

function waySteps(inspection: Inspection, nowMs: number): Found[] {
  const { reached, failure, address, isEncrypted, timings } = inspection;
  if (failure?.kind === "blocked") {
    const looked = timings.dnsMs === null ? skipped("dns") : passed("dns", "The name was found.", timings.dnsMs);
    return [looked, failed("guard", findingOf(failure), null), skipped("connect"), skipped("tls")];
  }
  if (failure !== null && reached === "dns") {
    return [failed("dns", findingOf(failure), timings.dnsMs), skipped("guard"), skipped("connect"), skipped("tls")];
  }
  const dns =
    timings.dnsMs === null
      ? skipped("dns", "The URL holds an address; there is no name to look up.")
      : passed("dns", "The name was found.", timings.dnsMs);
  const found = [dns, passed("guard", "The address may be reached.", null)];
  if (failure !== null && reached === "connect") {
    return [...found, failed("connect", findingOf(failure), timings.connectMs), skipped("tls")];
  }
  found.push(passed("connect", `Connected to ${address}.`, timings.connectMs));
  if (!isEncrypted) {
    const message = "The URL is http: what is sent can be read and changed on the way.";
    found.push(warned("tls", message, "Give the receiver a certificate and use https in the webhook's URL."));
  } else if (failure !== null) {
    found.push(failed("tls", findingOf(failure), timings.tlsMs));
  } else {
    found.push(certificateStep(inspection, nowMs));
  }
  return found;
}

function certificateStep({ chain, protocol, timings }: Inspection, nowMs: number): Found {
  const soonest = chain.reduce((least, { expiresAtMs }) => Math.min(least, expiresAtMs), Number.POSITIVE_INFINITY);
  const days = Math.floor((soonest - nowMs) / 86_400_000);
  if (soonest - nowMs < CERTIFICATE_WARNING_MS) {
    const left = days < 1 ? "in less than a day" : days === 1 ? "in a day" : `in ${days} days`;
    const message = `The receiver's certificate chain runs out ${left}.`;
    return warned("tls", message, "Renew the certificate on the receiver's server before then.", timings.tlsMs);
  }
  return passed("tls", `${protocol ?? "TLS"}, the certificate is trusted for ${days} more days.`, timings.tlsMs);
}

function credentialsStep({ auth }: Webhook, prepared: PreparedWebhook | null): Found {
  if (prepared === null) {
    const message = "A secret of the webhook cannot be opened, so no request can be signed.";
    const nextStep = "Set the webhook's secret (and auth) again; an operator should check the master key.";
    return failed("credentials", { message, nextStep }, null);
  }
  const way = auth.type === "none" ? "no authorisation header is configured" : `authorisation is ${auth.type}`;
  return passed("credentials", `Requests are signed; ${way}.`, null);
}

function requestStep(webhook: Webhook, tested: Tested | null, wasAsked: boolean): Found {
  if (tested === null || tested.kind === "busy" || tested.kind === "no_next_secret") {
    return skipped(
      "request",
      wasAsked ? "Not sent, because an earlier step failed." : "No test request was asked for.",
    );
  }
  if (tested.kind === "not_rendered") {
    const nextStep = "POST /v1/preview shows why; correct the webhook's template.";
    return failed("request", { message: `The request cannot be made: ${tested.message}`, nextStep }, null);
  }
  const { result } = tested;
  const durationMs = result.timings.totalMs;
  const finding = problemOf(tested.outcome, result);
  if (finding !== null) return failed("request", finding, durationMs);
  if (durationMs > webhook.timeoutMs / 2) {
    const message = `The receiver took the request, but needed ${Math.round(durationMs)} ms of ${webhook.timeoutMs}.`;
    return warned("request", message, "Have the receiver answer first and work afterwards.", durationMs);
  }
  const answered = result.kind === "responded" ? result.status : "";
  return passed("request", `The receiver took the test request and answered ${answered}.`, durationMs);
}

/** The outcome decides; what came back says why. */
function problemOf(outcome: string, result: SendResult): Finding | null {
  if (outcome === "delivered") return null;
  if (result.kind !== "responded") return findingOf(result);
  const nextStep = "Compare the answer with the webhook's rules for what counts as a success.";
  return findingOfStatus(result.status) ?? { message: `The receiver answered ${result.status}.`, nextStep };
}

function passed(step: StepName, message: string, durationMs: number | null): Found {
  return { step: { step, status: "passed", message, durationMs }, nextStep: null };
}

function skipped(step: StepName, message = "Not reached."): Found {
  return { step: { step, status: "skipped", message, durationMs: null }, nextStep: null };
}

function warned(step: StepName, message: string, nextStep: string, durationMs: number | null = null): Found {
  return { step: { step, status: "warning", message, durationMs }, nextStep };
}

function failed(step: StepName, { message, nextStep }: Finding, durationMs: number | null): Found {
  return { step: { step, status: "failed", message, durationMs }, nextStep };
}
