// The page on which somebody allows a program to work for the tenant, as text. No script, nothing from elsewhere; every
// value that comes from outside is escaped.
import { hash } from "node:crypto";
import type { AskedGrant } from "../../manage/oauth-grants.ts";
import { type Scope, SCOPES } from "../scopes.ts";

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; display: grid; place-items: center; min-height: 100vh; background: Canvas; color: CanvasText; }
main { width: min(28rem, calc(100vw - 2rem)); padding: 1rem 0; overflow-wrap: anywhere; }
h1 { font-size: 1.3rem; line-height: 1.3; }
code { font: 0.9em ui-monospace, monospace; }
li { margin: 0.3rem 0; }
label { display: block; font-weight: 600; margin: 1.2rem 0 0.3rem; }
input { width: 100%; box-sizing: border-box; font: inherit; padding: 0.5rem; border: 1px solid GrayText; border-radius: 4px; }
.hint { color: color-mix(in srgb, CanvasText 70%, Canvas); margin: 0.3rem 0 0; font-size: 0.9rem; }
[role=alert] { border-left: 4px solid #c5221f; padding: 0.4rem 0.8rem; margin: 1rem 0 0; }
.buttons { display: flex; gap: 0.75rem; margin-top: 1.5rem; }
button { font: inherit; padding: 0.55rem 1.2rem; border-radius: 4px; border: 1px solid GrayText; cursor: pointer; background: ButtonFace; color: ButtonText; }
button.primary { background: #1a56db; border-color: #1a56db; color: #fff; font-weight: 600; }
`;

/** Headers of every page here. @param redirectUri where the form's answer may lead; null: nowhere */
export function pageHeaders(redirectUri: string | null): Record<string, string> {
  const style = `'sha256-${hash("sha256", STYLE, "base64")}'`;
  const action = redirectUri === null ? "'none'" : `'self' ${new URL(redirectUri).origin}`;
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": `default-src 'none'; style-src ${style}; form-action ${action}; base-uri 'none'; frame-ancestors 'none'`,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  };
}

/**
 * @param hidden parameters that come back with the form
 * @param problem why the last try was refused; null at the first
 */
export function consentPage(
  asked: AskedGrant,
  hidden: Readonly<Record<string, string>>,
  problem: string | null,
): string {
  const { client, scopes, redirectUri } = asked;
  const name = escaped(client.name);
  const meanings = scopes.map((scope) => `<li>${escaped(SCOPES[scope as Scope])} <code>${escaped(scope)}</code></li>`);
  const fields = Object.entries(hidden).map(
    ([field, value]) => `<input type="hidden" name="${escaped(field)}" value="${escaped(value)}">`,
  );
  return page(
    `Allow ${name}?`,
    `<h1>Allow “${name}” to work for you in Posthorn?</h1>
<p>It asks to:</p>
<ul>
${meanings.join("\n")}
</ul>
<p>If you allow it, you go on to <code>${escaped(new URL(redirectUri).origin)}</code>. You can end this at any time.</p>
<form method="post" action="authorize" autocomplete="off">
${fields.join("\n")}
<label for="api_key">Your API key</label>
<input id="api_key" name="api_key" type="password" spellcheck="false" autofocus${problem === null ? "" : ' aria-invalid="true" aria-describedby="problem"'}>
<p class="hint">It is not given to the program, which can never do more than this key, and nothing after it is revoked.</p>
${problem === null ? "" : `<p role="alert" id="problem">${escaped(problem)}</p>`}
<div class="buttons">
<button class="primary" name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Deny</button>
</div>
</form>`,
  );
}

/** For a person who was sent here by something that is not registered. */
export function strangerPage(message: string): string {
  return page("Nothing to allow", `<h1>Nothing to allow</h1>\n<p>${escaped(message)}</p>`);
}

function page(title: string, main: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${main}
</main>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
