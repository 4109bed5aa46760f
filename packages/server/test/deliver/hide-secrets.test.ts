// Proves that what a receiver echoes of a webhook's secrets is masked in the result, and that nothing else changes.
import { expect, test } from "vitest";
import { hideSecrets, textsToHide } from "../../src/deliver/hide-secrets.ts";
import type { Responded, SendResult } from "../../src/security/outbound/result.ts";

const responded = (body: Buffer | string, headers: string[] = []): Responded => ({
  kind: "responded",
  status: 401,
  headers,
  headersTruncated: false,
  body: Buffer.from(body as string),
  bodyReadBytes: 5,
  bodyTruncated: false,
  certificateExpiresAtMs: null,
  address: "1.2.3.4:443",
  reusedConnection: false,
  requestStarted: true,
  timings: { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: 1, totalMs: 2 },
});

test("every occurrence goes, in body and headers, beyond ASCII too; the rest stays as it was", () => {
  const texts = textsToHide(["s3cret-token", "pässwörd-1"]);
  const result = responded('{"was":"s3cret-token","and":"pässwörd-1 s3cret-token €"}', [
    "X-Echo",
    "Bearer s3cret-token",
  ]);
  const hidden = hideSecrets(result, texts) as Responded;
  expect(hidden.body.toString("utf8")).toBe('{"was":"********","and":"******** ******** €"}');
  expect(hidden.headers).toEqual(["X-Echo", "Bearer ********"]);
  expect({ ...hidden, body: result.body, headers: result.headers }).toEqual(result);
});

test("bytes that are no text stay what they are", () => {
  const bytes = Buffer.from([0xff, 0x00, 0x80, ...Buffer.from("s3cret-token"), 0xc3]);
  const hidden = hideSecrets(responded(bytes), textsToHide(["s3cret-token"])) as Responded;
  expect(hidden.body).toEqual(Buffer.from([0xff, 0x00, 0x80, ...Buffer.from("********"), 0xc3]));
});

test("without an echo, without secrets and without a response the result is the very same", () => {
  const result = responded("nothing of interest");
  expect(hideSecrets(result, textsToHide(["s3cret-token"]))).toBe(result);
  expect(hideSecrets(result, [])).toBe(result);
  const failed: SendResult = { ...result, kind: "connection_failed", phase: "connect", code: "s3cret-token" };
  expect(hideSecrets(failed, textsToHide(["s3cret-token"]))).toBe(failed);
});

test("what is shorter than eight characters is left: it would be found where it is something else", () => {
  expect(textsToHide(["1", "1234567", "12345678"])).toEqual(["12345678"]);
});
