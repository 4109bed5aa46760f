// A day of a trading company, 8 to 18 o'clock, the same each time: what it sells, to whom, and what is paid.
// Made of the catalogue's own examples. Holds no time of today and no chance.

/** mulberry32: the same day each time. */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const CUSTOMERS = [
  "Contoh Jaya",
  "Kedai Runcit Seri",
  "Pasar Mini Damai",
  "Teguh Hardware",
  "Warung Sentosa",
  "Bina Alam",
];
const COUNTS = {
  "sales_order.created": 110,
  "sales_order.updated": 48,
  "sales_order.cancelled": 9,
  "payment.received": 72,
  "customer.created": 12,
  "customer.updated": 17,
  "customer.deleted": 2,
  // Nobody listens to these.
  "invoice.created": 40,
  "inventory.low_stock": 14,
};
const MINUTES = 600;

/** The event types of the day. */
export const DAY_TYPES = Object.keys(COUNTS);

/**
 * @param {Map<string, any>} examples the catalogue's example of each type
 * @returns {{ minute: number, event: object }[]} in the order of the day; `minute` counts from 8 o'clock
 */
export function dayOf(examples) {
  const random = randomOf(20_260_417);
  const planned = DAY_TYPES.flatMap((type) =>
    Array.from({ length: COUNTS[type] }, (_, index) => ({ type, index, minute: Math.floor(random() * MINUTES) })),
  ).sort((a, b) => a.minute - b.minute);
  return planned.map(({ type, index, minute }, place) => {
    const example = structuredClone(examples.get(type));
    const { object } = example.data;
    change(type, object, { index, place, random });
    const clock = `${String(8 + Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
    const timestamp = `2026-04-17T${clock}:00+08:00`;
    return { minute, event: { event: type, timestamp, data: example.data, context: { source: "demo" } } };
  });
}

function change(type, object, { index, place, random }) {
  const customer = `${CUSTOMERS[Math.floor(random() * CUSTOMERS.length)]} Sdn. Bhd.`;
  if (type.startsWith("customer.")) {
    Object.assign(object, { id: `cust_${2000 + place}`, customerNumber: `CUST-${2000 + place}`, name: customer });
    return;
  }
  // A payment carries its order; nothing else of this day does.
  const order = type.startsWith("sales_order.") ? object : object.order;
  if (type === "payment.received") object.paymentNumber = `PAY-2026-${4000 + place}`;
  if (type === "invoice.created") object.invoiceNumber = `INV-2026-${7000 + place}`;
  if (order === undefined) return;
  order.id = `so_${3000 + place}`;
  order.orderNumber = `SO-2026-${3000 + place}`;
  if (order.customer !== undefined) order.customer.name = customer;
  // A third of them are small, and one is exactly the threshold: 100 is not more than 100.
  order.total =
    index === 3 ? 100 : Math.round((random() < 1 / 3 ? 5 + random() * 95 : 101 + random() * 4_900) * 100) / 100;
  if (type === "sales_order.created" && index === 7) Object.assign(order, { status: "draft", total: 480 });
}
