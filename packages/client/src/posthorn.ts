// The client: one object for each Posthorn and key. Keeps nothing but its options; must never show the key.
import { type CallOptions, Transport } from "./http/transport.ts";
import { checkOptions, type PosthornOptions } from "./options.ts";
import { ApiKeys, Audit, Companies, OauthClients, OauthGrants, ReadKeys, Tenants } from "./resources/access.ts";
import { DeadLetters, Deliveries, ParkedKeys } from "./resources/deliveries.ts";
import { CodeTables, Rules } from "./resources/definitions.ts";
import { DigestSettings } from "./resources/digest.ts";
import { EventTypes } from "./resources/event-types.ts";
import { Events } from "./resources/events.ts";
import { read } from "./resources/read.ts";
import { preview, type PreviewInput } from "./resources/preview.ts";
import { Routes } from "./resources/routes.ts";
import { Organisation } from "./resources/organisation.ts";
import { Modules } from "./resources/modules.ts";
import { Nodes } from "./resources/nodes.ts";
import { Replays } from "./resources/replays.ts";
import { Snapshots } from "./resources/snapshots.ts";
import { Webhooks } from "./resources/webhooks.ts";
import type { Preview } from "./types/preview.ts";
import type { TenantStatistics } from "./types/webhook.ts";
import { VERSION } from "./version.ts";

/**
 * Talks to one Posthorn with one API key.
 * @example
 * const posthorn = new Posthorn({ url: "https://events.example.com", apiKey: process.env.POSTHORN_API_KEY });
 * await posthorn.events.publish({ event: "invoice.paid", data: { object: { invoiceNumber: "INV-00871" } } });
 */
export class Posthorn {
  readonly events: Events;
  readonly deliveries: Deliveries;
  readonly deadLetters: DeadLetters;
  /** Keys of ordered webhooks that wait for a person. */
  readonly parkedKeys: ParkedKeys;
  readonly webhooks: Webhooks;
  /** Bulk replays. */
  readonly replays: Replays;
  /** First loads of new systems. */
  readonly snapshots: Snapshots;
  readonly readKeys: ReadKeys;
  readonly eventTypes: EventTypes;
  /** Business rules. */
  readonly rules: Rules;
  readonly codeTables: CodeTables;
  readonly tenants: Tenants;
  readonly companies: Companies;
  /** Which webhooks an event is given to, when. */
  readonly routes: Routes;
  /** Branches, locations and people, by which webhooks are restricted. */
  readonly organisation: Organisation;
  readonly apiKeys: ApiKeys;
  readonly oauthClients: OauthClients;
  readonly oauthGrants: OauthGrants;
  readonly audit: Audit;
  /** Who is told by e-mail and chat. */
  readonly digest: DigestSettings;
  /** Who sends events, and who is silent. */
  readonly modules: Modules;
  readonly nodes: Nodes;
  /** Where requests go. */
  readonly url: string;
  readonly #transport: Transport;

  /** @throws InvalidArgument that names the option which cannot be used */
  constructor(options: PosthornOptions) {
    const checked = checkOptions(options, VERSION);
    const transport = new Transport(checked);
    this.url = checked.origin;
    this.#transport = transport;
    this.events = new Events(transport);
    this.deliveries = new Deliveries(transport);
    this.deadLetters = new DeadLetters(transport);
    this.parkedKeys = new ParkedKeys(transport);
    this.webhooks = new Webhooks(transport);
    this.replays = new Replays(transport);
    this.snapshots = new Snapshots(transport);
    this.readKeys = new ReadKeys(transport);
    this.eventTypes = new EventTypes(transport);
    this.rules = new Rules(transport);
    this.codeTables = new CodeTables(transport);
    this.tenants = new Tenants(transport);
    this.companies = new Companies(transport);
    this.routes = new Routes(transport);
    this.organisation = new Organisation(transport);
    this.apiKeys = new ApiKeys(transport);
    this.oauthClients = new OauthClients(transport);
    this.oauthGrants = new OauthGrants(transport);
    this.audit = new Audit(transport);
    this.digest = new DigestSettings(transport);
    this.modules = new Modules(transport);
    this.nodes = new Nodes(transport);
  }

  /** What a webhook, or a draft of one, would do with an event; nothing is stored or sent. */
  preview(input: PreviewInput, options?: CallOptions): Promise<Preview> {
    return preview(this.#transport, input, options);
  }

  /** Exact figures of all webhooks together. */
  statistics(options?: CallOptions): Promise<TenantStatistics> {
    return read(this.#transport, "/statistics", options);
  }
}
