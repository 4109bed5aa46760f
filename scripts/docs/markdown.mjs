// Markdown to HTML, and what the pages around need to know of it: title, headings, links, text by section.
// Must never let HTML of a source through: what looks like it is shown as text.
import MarkdownIt from "markdown-it";

/**
 * Reads one page.
 * @param {string} source Markdown
 * @param {(href: string) => string | null} linkOf the address of a link as it stands in the page; null for one that
 *   leads out of the documents, which becomes text
 * @returns {{ html: string, title: string, headings: { level: number, id: string, text: string }[],
 *   sections: { id: string, heading: string, text: string }[], links: string[], ids: Set<string> }}
 */
export function readPage(source, linkOf) {
  const markdown = new MarkdownIt({ html: false, linkify: false, typographer: false });
  const env = { headings: [], links: [], ids: new Map() };
  addRules(markdown, linkOf);
  const tokens = markdown.parse(withoutComments(source), env);
  nameHeadings(tokens, env);
  const html = markdown.renderer.render(tokens, markdown.options, env);
  const title = env.headings.find(({ level }) => level === 1)?.text ?? "";
  return {
    html,
    title,
    headings: env.headings,
    sections: sectionsOf(tokens),
    links: env.links,
    ids: new Set(env.headings.map(({ id }) => id)),
  };
}

/** Comments outside of fenced blocks; they are for those who edit the file. */
function withoutComments(source) {
  return source
    .split(/^(```[\s\S]*?^```$)/m)
    .map((part) => (part.startsWith("```") ? part : part.replaceAll(/<!--[\s\S]*?-->/g, "")))
    .join("");
}

/** `GET /v1/events` → `get-v1events`, as GitHub makes them; names in capitals (error codes, settings) stay as they are. */
function idOf(text, taken) {
  const isName = /^[A-Z][A-Z0-9_]+$/.test(text);
  const slug = isName
    ? text
    : text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-");
  const count = taken.get(slug) ?? 0;
  taken.set(slug, count + 1);
  return count === 0 ? slug : `${slug}-${count}`;
}

const textOf = (inline) =>
  (inline.children ?? []).map((child) => (child.type === "softbreak" ? " " : child.content)).join("");

function nameHeadings(tokens, env) {
  for (const [index, token] of tokens.entries()) {
    if (token.type !== "heading_open") continue;
    const text = textOf(tokens[index + 1]);
    const heading = { level: Number(token.tag.slice(1)), id: idOf(text, env.ids), text };
    env.headings.push(heading);
    token.attrSet("id", heading.id);
  }
}

function addRules(markdown, linkOf) {
  const { rules } = markdown.renderer;
  // The link to a heading stands behind its text, so that a screen reader reads the text first.
  rules.heading_close = (tokens, index) => {
    const id = tokens[index - 2]?.attrGet("id");
    const level = tokens[index].tag;
    if (level === "h1") return "</h1>\n";
    return ` <a class="anchor" href="#${id}" aria-label="Link to this section">#</a></${level}>\n`;
  };
  // Wide tables scroll by themselves; with the keyboard too.
  rules.table_open = () => '<div class="scroll" role="region" aria-label="Table" tabindex="0"><table>\n';
  rules.table_close = () => "</table></div>\n";
  rules.fence = (tokens, index, _options) => {
    const { info, content } = tokens[index];
    const language = info.trim().split(/\s+/)[0] || "text";
    const escaped = markdown.utils.escapeHtml(content);
    return `<pre tabindex="0" data-language="${markdown.utils.escapeHtml(language)}"><code>${escaped}</code></pre>\n`;
  };
  rules.link_open = (tokens, index, options, env, self) => {
    const token = tokens[index];
    const href = token.attrGet("href") ?? "";
    env.links.push(href);
    const address = linkOf(href);
    env.openLinks = [...(env.openLinks ?? []), address];
    if (address === null) return "<span>";
    token.attrSet("href", address);
    if (/^https?:/.test(address)) token.attrSet("rel", "noreferrer");
    return self.renderToken(tokens, index, options);
  };
  rules.link_close = (_tokens, _index, _options, env) => (env.openLinks.pop() === null ? "</span>" : "</a>");
  const image = rules.image;
  rules.image = (tokens, index, options, env, self) => {
    const token = tokens[index];
    token.attrSet("src", linkOf(token.attrGet("src") ?? "") ?? "");
    return image(tokens, index, options, env, self);
  };
}

/** The text below each heading, for the search. */
function sectionsOf(tokens) {
  const sections = [];
  for (const [index, token] of tokens.entries()) {
    if (token.type === "heading_open") {
      sections.push({ id: token.attrGet("id"), heading: textOf(tokens[index + 1]), text: "" });
    } else if (token.type === "inline" && tokens[index - 1]?.type !== "heading_open") {
      const section = sections.at(-1);
      if (section !== undefined) section.text += `${textOf(token)} `;
    }
  }
  return sections;
}
