"use strict";
// The table of responses and the reading view. Everything from a response enters the page by textContent alone.
(() => {
  const root = document.getElementById("explorer");
  const read = (element) => JSON.parse(element.textContent);
  const head = read(document.querySelector(".explorer-head"));
  const [CASE, GROUP, STEP, SAMPLE, ANSWER, RIGHT, VALUES, ADVANTAGES, KINDS] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const rows = head.rows;
  const kinds = head.kinds.map((name) => name.split(" "));

  /** Blocks of texts, each parsed when it is first asked for. */
  const lazy = (name) => {
    const elements = document.getElementsByClassName(name);
    const parsed = [];
    return (at) => {
      const block = Math.floor(at / head.block);
      parsed[block] ??= read(elements[block]);
      return parsed[block][at % head.block];
    };
  };
  const detail = lazy("explorer-details");
  const documents = lazy("explorer-cases");

  /** An element with attributes and children; strings become text. */
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "class") element.className = value;
      else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value === true) element.setAttribute(key, "");
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined).map((c) => (c instanceof Node ? c : String(c))));
    return element;
  };

  const number = (value) => {
    if (value === null || value === undefined) return "–";
    if (Number.isInteger(value)) return value.toLocaleString("en-US");
    const size = Math.abs(value);
    if (size < 0.001 || size >= 1e9) return value.toExponential(1);
    return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : 3);
  };
  const signed = (value) => (value > 0 ? "+" : "") + number(value);

  // Outcomes by tone: a sign for those who cannot tell the colours.
  const TONES = {
    supported: "good", correct: "good", covered: "good",
    contradicted: "bad", wrong: "bad", malformed: "bad",
    exempt: "exempt",
  };
  const SIGNS = { good: "✓", bad: "✗", open: "?", exempt: "–" };
  const tone = (kind) => TONES[kinds[kind][2]] ?? "open";

  // ---- columns -------------------------------------------------------------------------------------------------------
  const steps = rows.some((row) => row[STEP] !== null);
  const verdict = (row) => (row[RIGHT] === null ? "" : row[RIGHT] ? "✓ " : "✗ ") + (row[ANSWER] ?? (row[RIGHT] === null ? "–" : "unreadable"));
  const columns = [
    { name: "case", text: (row) => head.cases[row[CASE]][0], of: (row) => head.cases[row[CASE]][0] },
    { name: "sample", text: (row) => String(row[SAMPLE]), of: (row) => row[SAMPLE], number: true },
    ...(steps ? [{ name: "step", text: (row) => number(row[STEP]), of: (row) => row[STEP], number: true }] : []),
    { name: "answer", text: verdict, of: verdict },
    ...head.columns.map((name, at) => {
      const of = (row) => row[VALUES][at];
      // Shares stand under each other with the same digits; counts have none.
      const shares = rows.some((row) => !Number.isInteger(of(row) ?? 0)) && rows.every((row) => Math.abs(of(row) ?? 0) < 10);
      return { name, text: (row) => (shares && of(row) !== null ? of(row).toFixed(3) : number(of(row))), of, number: true };
    }),
  ];

  // ---- filters -------------------------------------------------------------------------------------------------------
  const option = (value, text) => make("option", { value }, text);
  const search = make("input", { type: "search", id: "f-search", autocomplete: "off", spellcheck: "false" });
  const answers = make("select", { id: "f-answer" }, option("", "any"), option("right", "right"), option("wrong", "wrong"), option("unread", "unreadable"));
  const rule = make("select", { id: "f-rule" }, option("", "any"));
  for (const objective of [...new Set(kinds.map((kind) => kind[0]))]) {
    const group = make("optgroup", { label: objective });
    kinds.map((kind, at) => [kind, at]).filter(([kind]) => kind[0] === objective)
      .sort(([a], [b]) => (a.join() < b.join() ? -1 : 1))
      .forEach(([kind, at]) => group.append(option(at, `${kind[1]}: ${kind[2]}`)));
    rule.append(group);
  }
  const column = make("select", { id: "f-column" }, ...columns.filter((c) => c.number).map((c) => option(c.name, c.name)));
  if (head.columns.includes("reward")) column.value = "reward";
  const from = make("input", { type: "number", step: "any", id: "f-from" });
  const to = make("input", { type: "number", step: "any", id: "f-to" });
  const count = make("output", { class: "muted", "aria-live": "polite" });
  const reset = make("button", { type: "reset" }, "Reset");
  const field = (label, input) => make("label", { for: input.id }, make("span", {}, label), input);
  const filters = make("form", { class: "filters", "aria-label": "Filter the responses" },
    field("Text or case id contains", search), field("Answer", answers), field("Has the check", rule),
    field("Where", column), field("is at least", from), field("and at most", to), reset, count);
  filters.addEventListener("submit", (event) => event.preventDefault());

  let texts = null;
  /** Lower-case texts of all responses; made when the first search asks for them. */
  const haystack = (at) => {
    texts ??= rows.map((row, i) => `${head.cases[row[CASE]][0]}\n${detail(i).r ?? ""}\n${detail(i).t ?? ""}`.toLowerCase());
    return texts[at];
  };

  // ---- the table -----------------------------------------------------------------------------------------------------
  const HEIGHT = 34;
  const body = make("tbody");
  let sort = { column: null, down: true };
  let order = rows.map((_, at) => at);
  let selected = 0; // place in `order`
  const headings = columns.map((c) => make("th", { scope: "col", class: c.number ? "n" : "", "aria-sort": "none" },
    make("button", { type: "button", onclick: () => sortBy(c) }, c.name, make("span", { class: "arrow", "aria-hidden": "true" }))));
  const table = make("table", { "aria-rowcount": rows.length + 1 }, make("thead", {}, make("tr", {}, ...headings)), body);
  const scroller = make("div", { class: "rows", tabindex: 0, role: "region", "aria-label": "Responses. Arrow keys choose one, Enter reads it." }, table);

  const sortBy = (c) => {
    if (sort.column !== c) sort = { column: c, down: Boolean(c.number) };
    else if (sort.down === Boolean(c.number)) sort.down = !sort.down;
    else sort = { column: null, down: true };
    headings.forEach((heading, at) => {
      const on = columns[at] === sort.column;
      heading.setAttribute("aria-sort", !on ? "none" : sort.down ? "descending" : "ascending");
      heading.querySelector(".arrow").textContent = !on ? "" : sort.down ? " ▼" : " ▲";
    });
    apply();
  };

  const apply = () => {
    const chosen = order[selected];
    const words = search.value.trim().toLowerCase();
    const kind = rule.value === "" ? null : Number(rule.value);
    const range = columns.find((c) => c.name === column.value);
    const [low, high] = [from, to].map((input) => (input.value === "" ? null : Number(input.value)));
    const keep = (at) => {
      const row = rows[at];
      if (answers.value === "right" && row[RIGHT] !== true) return false;
      if (answers.value === "wrong" && (row[RIGHT] !== false || row[ANSWER] === null)) return false;
      if (answers.value === "unread" && (row[RIGHT] === null || row[ANSWER] !== null)) return false;
      if (kind !== null && !row[KINDS].includes(kind)) return false;
      if (low !== null || high !== null) {
        const value = range.of(row);
        if (value === null || (low !== null && value < low) || (high !== null && value > high)) return false;
      }
      return words === "" || haystack(at).includes(words);
    };
    order = rows.map((_, at) => at).filter(keep);
    if (sort.column) {
      const of = sort.column.of;
      const turn = sort.down ? -1 : 1;
      // Responses without a value come last, whichever way.
      order.sort((a, b) => {
        const [x, y] = [of(rows[a]), of(rows[b])];
        if (x === y) return a - b;
        if (x === null || x === undefined) return 1;
        if (y === null || y === undefined) return -1;
        return (x < y ? -1 : 1) * turn;
      });
    }
    const kept = order.indexOf(chosen);
    selected = Math.max(kept, 0);
    if (kept < 0) scroller.scrollTop = 0;
    count.textContent = order.length === rows.length ? `${number(rows.length)} responses` : `${number(order.length)} of ${number(rows.length)} responses`;
    table.setAttribute("aria-rowcount", order.length + 1);
    draw(true);
  };

  let drawn = [-1, -1];
  /** Only the rows in sight are in the page; two empty ones keep the room of the others. */
  const draw = (anew = false) => {
    const first = Math.max(0, Math.floor(scroller.scrollTop / HEIGHT) - 10);
    const last = Math.min(order.length, first + Math.ceil(scroller.clientHeight / HEIGHT) + 20);
    if (!anew && drawn[0] === first && drawn[1] === last) return;
    drawn = [first, last];
    const room = (count) => make("tr", { "aria-hidden": "true", class: "room" }, make("td", { colspan: columns.length, style: null }));
    const above = room();
    above.firstChild.style.height = `${first * HEIGHT}px`;
    const below = room();
    below.firstChild.style.height = `${(order.length - last) * HEIGHT}px`;
    const shown = order.slice(first, last).map((at, i) => {
      const place = first + i;
      return make("tr", {
        "aria-rowindex": place + 2, "aria-selected": place === selected ? "true" : "false", id: `row-${at}`,
        onclick: () => choose(place, false),
      }, ...columns.map((c) => make("td", { class: c.number ? "n" : "" }, c.text(rows[at]))));
    });
    body.replaceChildren(above, ...shown, below);
    if (order.length > 0) scroller.setAttribute("aria-activedescendant", `row-${order[selected]}`);
  };

  const choose = (place, into) => {
    if (order.length === 0) return;
    selected = Math.min(Math.max(place, 0), order.length - 1);
    const header = table.tHead.offsetHeight;
    const top = selected * HEIGHT;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + HEIGHT + header > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + HEIGHT + header - scroller.clientHeight;
    draw(true);
    show(order[selected]);
    if (into) reading.focus();
  };

  scroller.addEventListener("scroll", () => requestAnimationFrame(() => draw()), { passive: true });
  scroller.addEventListener("keydown", (event) => {
    if (event.target !== scroller) return;
    const page = Math.max(1, Math.floor(scroller.clientHeight / HEIGHT) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -order.length, End: order.length };
    if (event.key in steps) choose(selected + steps[event.key], false);
    else if (event.key === "Enter") choose(selected, true);
    else return;
    event.preventDefault();
  });

  let waiting = 0;
  filters.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 120); });
  filters.addEventListener("reset", () => setTimeout(apply, 0));

  // ---- the reading view ----------------------------------------------------------------------------------------------
  const reading = make("article", { class: "sample reading", tabindex: -1, "aria-label": "The chosen response" });
  reading.addEventListener("keydown", (event) => { if (event.key === "Escape") scroller.focus(); });

  /** Control characters cannot be seen: each is shown as its picture, which is one unit long too. */
  const visible = (text) => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, (c) => (c === "\u007f" ? "\u2421" : String.fromCharCode(0x2400 + c.charCodeAt(0))));

  /** The text cut at the ends of the spans ([start, end, check]), every piece knowing its checks. */
  const marked = (text, spans, checks) => {
    const valid = spans.filter(([start, end]) => start >= 0 && start < end && end <= text.length);
    const cuts = [...new Set([0, text.length, ...valid.flatMap(([start, end]) => [start, end])])].sort((a, b) => a - b);
    const box = make("div", { class: "text", dir: "auto", tabindex: 0 });
    for (let i = 0; i + 1 < cuts.length; i += 1) {
      const piece = visible(text.slice(cuts[i], cuts[i + 1]));
      const over = valid.filter(([start, end]) => start <= cuts[i] && cuts[i + 1] <= end).map((span) => span[2]);
      if (over.length === 0) { box.append(piece); continue; }
      const tones = over.map((at) => tone(checks[at][0]));
      const worst = ["bad", "open", "good"].find((t) => tones.includes(t)) ?? "exempt";
      const ends = valid.filter(([, end]) => end === cuts[i + 1]).map((span) => span[2] + 1);
      const mark = make("mark", {
        class: worst, tabindex: 0, role: "button", title: over.map((at) => describe(checks[at], at)).join("\n"),
        "data-checks": over.join(" "), onclick: () => light(over, mark),
        onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); light(over, mark); } },
      }, piece, ...(ends.length ? [make("sup", {}, [...new Set(ends)].join(" "))] : []));
      box.append(mark);
    }
    return box;
  };

  const describe = (check, at) => {
    const [, name, outcome] = kinds[check[0]];
    return `${at + 1}. ${name}: ${outcome}, weight ${number(check[1])}${check[5] ? `: ${check[5]}` : ""}`;
  };

  /** Lights the marks and the lines of checks wherever they are, and brings them into sight. */
  const light = (checks, origin) => {
    const wanted = new Set(checks.map(String));
    const seen = new Set();
    for (const element of reading.querySelectorAll("[data-checks]")) {
      const on = element.dataset.checks.split(" ").some((at) => wanted.has(at));
      element.classList.toggle("on", on);
      if (element.matches("tr")) element.setAttribute("aria-current", on ? "true" : "false");
      const box = element.closest(".text, .checks");
      if (on && box && !seen.has(box) && !box.contains(origin)) {
        seen.add(box);
        // Within its own box: the page stays where the reader is.
        box.scrollTop += element.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 3;
      }
    }
  };

  const show = (at) => {
    const row = rows[at];
    const { t: text, r: reasoning, w: reasons, c: checks } = detail(at);
    const [id, gold] = head.cases[row[CASE]];
    const own = (field) => checks.map((check, i) => [check[3], check[4], i, check[2]]).filter((span) => span[3] === field);
    const scores = head.columns.map((name, i) => make("li", {}, `${name} `,
      row[VALUES][i] === null && reasons[name] ? make("span", { class: "muted" }, `no value: ${reasons[name]}`) : make("strong", {}, number(row[VALUES][i]))));
    const response = make("div", {}, make("h4", {}, "Response"));
    if (reasoning !== null) response.append(make("h5", {}, "Reasoning"), marked(reasoning, own(1), checks), make("h5", {}, "Text"));
    response.append(text === null ? make("p", { class: "muted" }, "No text.") : marked(text, own(0), checks));
    const evidence = make("div", {}, make("h4", {}, "Evidence"));
    const sources = row[CASE] < head.cases.length ? documents(row[CASE]) : [];
    sources.forEach(([title, source], document) => {
      const spans = checks.flatMap((check, i) => check[6].filter((span) => span[0] === document).map((span) => [span[1], span[2], i]));
      evidence.append(make("h5", {}, title), marked(source, spans, checks));
    });
    if (sources.length === 0) evidence.append(make("p", { class: "muted" }, "The case is not known: --cases names the file that holds it."));
    reading.replaceChildren(
      make("h3", {}, `${id}, sample ${row[SAMPLE]}`, ...(row[STEP] === null ? [] : [`, step ${row[STEP]}`])),
      make("ul", { class: "scores" }, ...scores, make("li", {}, "answer ", make("strong", {}, verdict(row))), make("li", {}, "right answer ", make("strong", {}, gold || "–"))),
      make("p", { class: "turn" },
        make("button", { type: "button", onclick: () => choose(selected - 1, true) }, "Previous"), " ",
        make("button", { type: "button", onclick: () => choose(selected + 1, true) }, "Next"), " ",
        make("button", { type: "button", onclick: () => { scroller.focus(); scroller.scrollIntoView({ block: "nearest" }); } }, "Back to the table")),
      make("div", { class: "pair" }, response, evidence),
      make("h4", {}, `Checks (${checks.length})`), checkTable(checks),
      ...groupTable(row));
  };

  const checkTable = (checks) => {
    if (checks.length === 0) return make("p", { class: "muted" }, "No checks.");
    const lines = checks.map((check, at) => {
      const [objective, name, outcome] = kinds[check[0]];
      const line = make("tr", { "data-checks": at, onclick: () => light([at], line) },
        make("td", { class: "n" }, make("button", { type: "button", "aria-label": `Show check ${at + 1} in the texts` }, at + 1)),
        make("td", {}, objective), make("td", {}, name),
        make("td", {}, make("span", { class: `sign ${tone(check[0])}` }, SIGNS[tone(check[0])]), ` ${outcome}`),
        make("td", { class: "n" }, number(check[1])), make("td", {}, visible(check[5])));
      return line;
    });
    const titles = ["#", "Objective", "Rule", "Outcome", "Weight", "Note"].map((t, i) => make("th", { scope: "col", class: i === 0 || i === 4 ? "n" : "" }, t));
    return make("div", { class: "wide checks", tabindex: 0 }, make("table", {}, make("thead", {}, make("tr", {}, ...titles)), make("tbody", {}, ...lines)));
  };

  /** The other responses of its group, and what each estimator makes of them. */
  const groupTable = (own) => {
    const members = rows.map((row, at) => [row, at]).filter(([row]) => row[GROUP] === own[GROUP]);
    if (members.length < 2) return [];
    const reward = head.columns.indexOf("reward");
    const names = ["Sample", "Answer", ...(reward < 0 ? [] : ["Reward"]), ...head.estimators];
    const lines = members.map(([row, at]) => make("tr", { "aria-current": row === own ? "true" : "false" },
      make("th", { scope: "row" }, row === own ? `${row[SAMPLE]} (this one)` : make("button", { type: "button", onclick: () => open(at) }, row[SAMPLE])),
      make("td", {}, verdict(row)), ...(reward < 0 ? [] : [make("td", { class: "n" }, number(row[VALUES][reward]))]),
      ...row[ADVANTAGES].map((value) => make("td", { class: "n" }, signed(value)))));
    return [
      make("h4", {}, `Its group (${members.length} responses)${head.estimators.length > 0 ? ": advantages under each estimator" : ""}`),
      make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Its group" }, make("table", { class: "group" },
        make("thead", {}, make("tr", {}, ...names.map((name, i) => make("th", { scope: "col", class: i > 1 ? "n" : "" }, name)))), make("tbody", {}, ...lines))),
    ];
  };

  /** Opens a response, also one that the filters hide. */
  const open = (at) => {
    const place = order.indexOf(at);
    if (place >= 0) choose(place, true);
    else { show(at); reading.focus(); }
  };

  root.append(filters, scroller, reading);
  apply();
  if (rows.length > 0) show(order[0]);
})();
