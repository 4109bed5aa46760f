// What a program asks for at /oauth/authorize, read and checked (RFC 6749, 4.1.1; PKCE by RFC 7636, S256 only).
// Must never name an address to go back to that was not registered for the program.
import { parseId, uuidFromBytes } from "@posthorn/contract";
import type { KnownClient } from "../../manage/oauth-clients.ts";
import type { AskedGrant } from "../../manage/oauth-grants.ts";

export type AuthorizationRequest =
  | { readonly kind: "asked"; readonly asked: AskedGrant; readonly state: string | null }
  /** The program is told, at an address of its own. */
  | {
      readonly kind: "refused";
      readonly redirectUri: string;
      readonly state: string | null;
      readonly error: "invalid_request" | "unsupported_response_type" | "invalid_scope";
      readonly description: string;
    }
  /** Nobody knows where to go back to: the person is told. */
  | { readonly kind: "stranger"; readonly message: string };

/** BASE64URL of a SHA-256. */
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/;
const LOOPBACK = /^http:\/\/(127\.0\.0\.1|\[::1\])(?::\d{1,5})?(\/|$)/;

/**
 * @param parameters of the query or of the form
 * @param find the program of a public id
 */
export async function readAuthorizationRequest(
  parameters: URLSearchParams,
  find: (uuid: string) => Promise<KnownClient | null>,
): Promise<AuthorizationRequest> {
  const repeated = [...new Set(parameters.keys())].find((name) => parameters.getAll(name).length > 1);
  const client = await clientOf(parameters.get("client_id"), find);
  if (client === null) {
    return { kind: "stranger", message: "No program of this client_id is registered here. Ask whoever sent you." };
  }
  const redirectUri = redirectUriOf(client, parameters.get("redirect_uri"));
  if (redirectUri === null) {
    return {
      kind: "stranger",
      message: `“${client.name}” does not say where to send you, or names an address that is not registered (redirect_uri).`,
    };
  }
  const state = parameters.get("state");
  const refused = (
    error: Extract<AuthorizationRequest, { kind: "refused" }>["error"],
    description: string,
  ): AuthorizationRequest => ({ kind: "refused", redirectUri, state, error, description });
  if (repeated !== undefined) return refused("invalid_request", `${repeated} is given more than once`);
  if (parameters.get("response_type") !== "code") {
    return refused("unsupported_response_type", "response_type has to be code");
  }
  const codeChallenge = parameters.get("code_challenge") ?? "";
  if (parameters.get("code_challenge_method") !== "S256" || !CHALLENGE.test(codeChallenge)) {
    return refused("invalid_request", "PKCE is required: a code_challenge, and code_challenge_method=S256");
  }
  const scopes = scopesOf(client, parameters.get("scope"));
  if (scopes === null) return refused("invalid_scope", `the program may ask for: ${client.scopes.join(" ")}`);
  return { kind: "asked", asked: { client, scopes, redirectUri, codeChallenge }, state };
}

async function clientOf(
  id: string | null,
  find: (uuid: string) => Promise<KnownClient | null>,
): Promise<KnownClient | null> {
  const bytes = id === null ? null : parseId("oauthClient", id);
  return bytes === null ? null : find(uuidFromBytes(bytes));
}

/** To the letter, but for the port of the loopback: a program there takes one that is free (RFC 8252, 7.3). */
function redirectUriOf(client: KnownClient, given: string | null): string | null {
  if (given === null) return null;
  if (client.redirectUris.includes(given)) return given;
  const withoutPort = loopbackWithoutPort(given);
  if (withoutPort === null) return null;
  return client.redirectUris.some((uri) => loopbackWithoutPort(uri) === withoutPort) ? given : null;
}

function loopbackWithoutPort(uri: string): string | null {
  if (!LOOPBACK.test(uri) || !URL.canParse(uri)) return null;
  const url = new URL(uri);
  url.port = "";
  return url.href;
}

/** All that it may ask for when it names none. */
function scopesOf(client: KnownClient, given: string | null): readonly string[] | null {
  const names = (given ?? "").split(" ").filter((name) => name !== "");
  if (names.length === 0) return client.scopes;
  return names.every((name) => client.scopes.includes(name)) ? [...new Set(names)] : null;
}
