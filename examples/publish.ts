// Publishes events from an ERP's own code: one at once, many in a batch. Run it beside a Posthorn:
//   POSTHORN_URL=http://127.0.0.1:8420 POSTHORN_API_KEY=blg_live_sk_… node examples/publish.ts
import { pathToFileURL } from "node:url";
import { isPosthornError, Posthorn } from "@posthorn/client";

export interface PaidInvoice {
  readonly number: string;
  readonly total: number;
}

/**
 * When it resolves, the event and its deliveries are stored. The key is the business's own: repeated after a crash, the
 * event is still stored once.
 */
export async function publishPaidInvoice(posthorn: Posthorn, invoice: PaidInvoice): Promise<string> {
  try {
    const published = await posthorn.events.publish(
      {
        event: "invoice.paid",
        data: {
          object: { invoiceNumber: invoice.number, total: invoice.total, status: "paid", currency: "MYR" },
          previous_attributes: { status: "sent" },
        },
        context: { companyId: "company_default", source: "erp" },
      },
      { idempotencyKey: `invoice.paid ${invoice.number}` },
    );
    return published.id;
  } catch (error) {
    // The call was repeated for a minute already. Keep the event, an outbox table is the place, and publish it later.
    if (isPosthornError(error) && error.retryable) console.error(`${invoice.number} waits: ${error.code}`);
    throw error;
  }
}

/** Many at once: one result for each event, in their order. */
export async function publishCustomers(posthorn: Posthorn, names: readonly string[]): Promise<number> {
  const results = await posthorn.events.publishBatch(
    names.map((name, index) => ({
      event: "customer.created",
      data: { object: { id: `cust_${1000 + index}`, name } },
    })),
  );
  for (const result of results) {
    if (result.status === "refused") console.error(`${names[result.index]}: ${result.error.message}`);
  }
  return results.filter((result) => result.status !== "refused").length;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const posthorn = new Posthorn({
    url: process.env.POSTHORN_URL ?? "http://127.0.0.1:8420",
    apiKey: process.env.POSTHORN_API_KEY ?? "",
  });
  console.log(await publishPaidInvoice(posthorn, { number: "INV-00871", total: 2567.5 }));
  console.log(await publishCustomers(posthorn, ["Contoh Jaya Sdn. Bhd.", "Kedai Runcit Seri"]));
}
