// Measures the scanner of capture beside JSON.parse, on the 711-byte event that all our figures use.
// Never a gate: it prints, and whoever changes the scanner compares before and after on one quiet machine.
//
//   npx tsc -p tsconfig.test.json --noEmit false --outDir /tmp/posthorn-bench ; node /tmp/posthorn-bench/bench/src/scan.js
import { scanBatch } from "../../packages/server/src/capture/scan/scan-batch.ts";
import { scanEvent } from "../../packages/server/src/capture/scan/scan-event.ts";
import { readPathText } from "../../packages/server/src/lib/json/read-path.ts";

const ROUND_COUNT = 25;
const ROUND_MS = 60;

/** An invoice event of exactly `bytes` bytes, padded in its notes. */
function invoiceEvent(bytes: number): Buffer {
  const event = (notes: string) => ({
    event: "invoice.paid",
    data: {
      object: {
        id: "inv_01J9Z3K4M5N6P7Q8R9S0T1V2W3",
        invoiceNumber: "INV-2024-000123",
        customer: { id: "cust_8842", name: "Syarikat Maju Jaya Sdn Bhd", tags: ["gold", "kl"] },
        currency: "MYR",
        subtotal: 2421.7,
        taxAmount: 145.8,
        total: 2567.5,
        items: [
          { sku: "SKU-1001", quantity: 3, unitPrice: 499.9 },
          { sku: "SKU-2040", quantity: 1, unitPrice: 922.0 },
        ],
        notes,
      },
      previous_attributes: { status: "sent", amountDue: 2567.5 },
    },
    context: { companyId: "company_12", userId: "user_77", source: "web", ip: "203.0.113.9" },
  });
  const bare = Buffer.byteLength(JSON.stringify(event("")));
  return Buffer.from(JSON.stringify(event("n".repeat(bytes - bare))));
}

interface Nanoseconds {
  /** Of the best round: what the code costs. */
  readonly best: number;
  /** Of the median round: what it cost on a machine that had other things to do as well. */
  readonly median: number;
}

/** Mean time of one call, by rounds. */
function timePerCall(call: () => unknown): Nanoseconds {
  const rounds: number[] = [];
  for (let round = 0; round < ROUND_COUNT; round++) {
    let callCount = 0;
    const startedAt = process.hrtime.bigint();
    const until = startedAt + BigInt(ROUND_MS) * 1_000_000n;
    while (process.hrtime.bigint() < until) {
      for (let i = 0; i < 20; i++) call();
      callCount += 20;
    }
    rounds.push(Number(process.hrtime.bigint() - startedAt) / callCount);
  }
  rounds.sort((a, b) => a - b);
  return { best: rounds[0] as number, median: rounds[ROUND_COUNT >> 1] as number };
}

function report(name: string, byteCount: number, call: () => unknown): void {
  const { best, median } = timePerCall(call);
  const megabytesPerSecond = ((byteCount / best) * 1000).toFixed(0);
  const figures = [best, median].map((nanoseconds) => nanoseconds.toFixed(0).padStart(9));
  console.log(`${name.padEnd(44)} ${figures.join(" ")} ns (best, median)  ${megabytesPerSecond.padStart(6)} MB/s`);
}

const small = invoiceEvent(711);
const pretty = Buffer.from(JSON.stringify(JSON.parse(small.toString()), null, 2));
const batch = Buffer.from(`{"events":[${Array.from({ length: 100 }, () => small.toString()).join(",")}]}`);
const scanned = scanEvent(small);
if (scanned.kind === "refused") throw new Error(scanned.message);

report("scanEvent, 711 bytes", small.length, () => scanEvent(small));
report("JSON.parse of the same, decoded first", small.length, () => JSON.parse(small.toString()));
report(`scanEvent, the same indented, ${pretty.length} bytes`, pretty.length, () => scanEvent(pretty));
report("JSON.parse of the same indented", pretty.length, () => JSON.parse(pretty.toString()));
report("readPathText of the invoice's number", small.length, () =>
  readPathText(small, scanned.dataStart, scanned.dataEnd, ["object", "invoiceNumber"]),
);
report(`scanBatch and scanEvent of 100, ${batch.length} bytes`, batch.length, () => {
  const result = scanBatch(batch);
  if (result.kind === "batch") for (const item of result.items) scanEvent(batch, item.start, item.end);
});
report("JSON.parse of the same batch", batch.length, () => JSON.parse(batch.toString()));
for (const kibibytes of [64, 1024]) {
  const large = invoiceEvent(kibibytes * 1024);
  report(`scanEvent, ${kibibytes} KiB, mostly one string`, large.length, () => scanEvent(large));
  report("JSON.parse of the same", large.length, () => JSON.parse(large.toString()));
}
