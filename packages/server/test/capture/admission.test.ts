import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AdmissionControl } from "../../src/capture/admission.ts";

const limits = { maxBytes: 1_000, maxBytesPerTenant: 600 };

describe("bytes on their way", () => {
  test("a full node says 503, a tenant over its share 429, and both recover when bytes are given back", () => {
    const admission = new AdmissionControl(() => 0, limits);
    expect(admission.reserve("a", 600).outcome).toBe("admitted");
    expect(admission.reserve("a", 1).outcome).toBe("limited");
    expect(admission.reserve("b", 400).outcome).toBe("admitted");
    expect(admission.reserve("c", 1).outcome).toBe("overloaded");
    admission.release("a", 600);
    expect(admission.reserve("c", 1).outcome).toBe("admitted");
    expect(admission.reserve("a", 599).outcome).toBe("admitted");
  });

  test("whatever comes and goes, no bound is passed and everything given back leaves nothing", () => {
    const step = fc.record({
      tenant: fc.constantFrom("a", "b", "c"),
      size: fc.integer({ min: 0, max: 700 }),
      release: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const admission = new AdmissionControl(() => 0, limits);
        const held: { tenant: string; size: number }[] = [];
        const heldBy = (tenant: string): number =>
          held.filter((each) => each.tenant === tenant).reduce((sum, each) => sum + each.size, 0);
        for (const { tenant, size, release } of steps) {
          const last = release ? held.pop() : undefined;
          if (last !== undefined) admission.release(last.tenant, last.size);
          else if (admission.reserve(tenant, size).outcome === "admitted") held.push({ tenant, size });
          expect(admission.bytesHeld).toBe(held.reduce((sum, each) => sum + each.size, 0));
          expect(admission.bytesHeld).toBeLessThanOrEqual(limits.maxBytes);
          expect(heldBy(tenant)).toBeLessThanOrEqual(limits.maxBytesPerTenant);
        }
        for (const each of held) admission.release(each.tenant, each.size);
        expect(admission.bytesHeld).toBe(0);
      }),
    );
  });
});

describe("events a second", () => {
  test("key and tenant have a limit each; the answer says which and how long to wait", () => {
    let nowMs = 0;
    const admission = new AdmissionControl(() => nowMs, limits);
    const subject = { tenantId: "t", keyId: "k", captureLimitPerSecond: 2, tenantCaptureLimitPerSecond: 100 };
    expect(admission.countEvents(subject, 1).outcome).toBe("admitted");
    expect(admission.countEvents(subject, 1).outcome).toBe("admitted");
    expect(admission.countEvents(subject, 1)).toMatchObject({
      outcome: "limited",
      what: "events a second for this API key",
      retryAfterSeconds: 1,
    });
    nowMs = 500;
    expect(admission.countEvents(subject, 1).outcome).toBe("admitted");
    const other = { ...subject, keyId: "k2", captureLimitPerSecond: null, tenantCaptureLimitPerSecond: 1 };
    expect(admission.countEvents(other, 1).outcome).toBe("admitted");
    expect(admission.countEvents(other, 1)).toMatchObject({ what: "events a second for this tenant" });
  });

  test("without limits nothing is counted", () => {
    const admission = new AdmissionControl(() => 0, limits);
    const free = { tenantId: "t", keyId: "k", captureLimitPerSecond: null, tenantCaptureLimitPerSecond: null };
    for (let i = 0; i < 1_000; i += 1) expect(admission.countEvents(free, 1_000).outcome).toBe("admitted");
  });
});
