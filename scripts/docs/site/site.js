// Search over the documents and buttons that copy a block. The pages are complete without it.
"use strict";
(() => {
  const me = document.currentScript;
  const form = document.getElementById("search");
  const query = document.getElementById("query");
  const found = document.getElementById("found");
  const MAX_FOUND = 12;
  let entries;

  async function load() {
    entries ??= fetch(me.dataset.index).then((answer) => (answer.ok ? answer.json() : []));
    return entries;
  }

  /** Every word has to be somewhere; titles and headings count more than text. */
  function score([title, heading, , text], words) {
    const places = [heading || title, title, text].map((place) => place.toLowerCase());
    let sum = 0;
    for (const word of words) {
      const [inHeading, inTitle, inText] = places.map((place) => place.includes(word));
      if (!inHeading && !inTitle && !inText) return 0;
      sum += (inHeading ? 20 : 0) + (places[0] === word ? 40 : 0) + (inTitle ? 8 : 0) + (inText ? 1 : 0);
    }
    return sum;
  }

  async function search() {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    const all = words.length === 0 ? [] : await load();
    const best = all
      .map((entry) => [score(entry, words), entry])
      .filter(([points]) => points > 0)
      .sort(([a], [b]) => b - a)
      .slice(0, MAX_FOUND);
    found.replaceChildren(...best.map(([, entry]) => item(entry)));
    if (words.length > 0 && best.length === 0) {
      const nothing = document.createElement("li");
      nothing.textContent = "Nothing found.";
      found.append(nothing);
    }
    found.hidden = words.length === 0;
  }

  function item([title, heading, address, text]) {
    const li = document.createElement("li");
    const a = document.createElement("a");
    const where = document.createElement("small");
    a.href = me.dataset.root + address;
    a.textContent = heading || title;
    where.textContent = (heading ? `${title}: ` : "") + text.slice(0, 90);
    a.append(where);
    li.append(a);
    return li;
  }

  form.hidden = false;
  query.addEventListener("input", search);
  query.addEventListener("focus", load);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    found.querySelector("a")?.click();
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      query.focus();
    }
    if (event.key === "Escape") {
      found.hidden = true;
      if (form.contains(document.activeElement)) query.blur();
    }
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && form.contains(document.activeElement)) {
      const stops = [query, ...found.querySelectorAll("a")];
      const next = stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      stops[next]?.focus();
      event.preventDefault();
    }
  });
  document.addEventListener("click", (event) => {
    if (!form.contains(event.target)) found.hidden = true;
  });

  for (const block of document.querySelectorAll("main pre")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => {
        button.textContent = "Copy";
      }, 1500);
    });
    const holder = document.createElement("div");
    holder.className = "block";
    block.replaceWith(holder);
    holder.append(block);
    if (navigator.clipboard) holder.append(button);
  }
})();
