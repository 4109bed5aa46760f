// How fast filters run on a payload that is already parsed. A ranking aid for this machine, never a CI gate.
// npx vitest bench --run bench/src/expressions.bench.ts
import { bench, describe } from "vitest";
import { compileExpression } from "../../packages/server/src/expressions/compile.ts";
import { eventScope } from "../../packages/server/src/expressions/event-scope.ts";
import { parsePayload } from "../../packages/server/src/expressions/payload.ts";

const TURNS = 1000;

const items = Array.from({ length: 20 }, (_, index) => ({ sku: `S${index}`, qty: index, price: index * 2 }));
const order = { id: "so_1", total: 2567.5, status: "confirmed", customerId: "c1", createdAt: "2026-10-01", items };
const data = { object: order, previous_attributes: { status: "draft" } };
const input = {
  event: { id: "evt_1", type: "sales_order.updated", timestamp: "2026-11-01T08:00:00Z", livemode: true },
  data,
  context: {},
  resource: { name: "sales_order", aliases: ["order"], fieldAliases: { created_date: "createdAt" } },
};

function programOf(source: string) {
  const compiled = compileExpression(source);
  if (!compiled.ok) throw new Error(compiled.error.message);
  return compiled.program;
}

const shared = eventScope(input);
const total = programOf("order.total > 100");
const status = programOf('order.status != "draft"');

/** The result is kept, so that the engine cannot drop the work. */
let passed = 0;

describe(`${TURNS} turns each: hz × ${TURNS} is turns per second`, () => {
  bench("two filters, names resolved before (as for the second webhook of an event)", () => {
    for (let turn = 0; turn < TURNS; turn += 1) if (total.test(shared) && status.test(shared)) passed += 1;
  });

  bench("two filters on a fresh scope (as for the first webhook of an event)", () => {
    for (let turn = 0; turn < TURNS; turn += 1) {
      const scope = eventScope(input);
      if (total.test(scope) && status.test(scope)) passed += 1;
    }
  });

  const thirty = Array.from({ length: 30 }, (_, index) =>
    programOf(`order.total > ${index * 100} && order.status == "s${index}"`),
  );
  bench("thirty filters on a fresh scope", () => {
    for (let turn = 0; turn < TURNS; turn += 1) {
      const scope = eventScope(input);
      for (const program of thirty) if (program.test(scope)) passed += 1;
    }
  });

  const single = [
    "order.missing > 100",
    'order.customer_id == "c1"',
    'order.created_date == "2026-10-01"',
    'order.status in ["new", "paid", "confirmed"]',
    'order.status.matches("^conf")',
    "order.items.exists(item, item.qty > 18 && item.price > 3)",
  ];
  for (const source of single) {
    const program = programOf(source);
    bench(source, () => {
      for (let turn = 0; turn < TURNS; turn += 1) if (program.test(shared)) passed += 1;
    });
  }

  const text = JSON.stringify(data);
  const longText = text.replace("2567.5", "2567.500000000000001");
  bench(`parsing ${text.length} characters, plain`, () => {
    for (let turn = 0; turn < TURNS; turn += 1) if (parsePayload(text, { exactNumbers: false }) === null) passed += 1;
  });
  bench(`parsing ${longText.length} characters with a long number, exact`, () => {
    for (let turn = 0; turn < TURNS; turn += 1)
      if (parsePayload(longText, { exactNumbers: true }) === null) passed += 1;
  });
});
