// What is asked stands in the address after '#', so that going back and sharing a link work.
const MARKS = { content: "by content", popular: "most popular" };
let service = null, going = null;

const complain = (error) => {
  $("problem").textContent = error ? shown(error.message) : "";
  $("problem").hidden = !error;
};

const asked = () => {
  const query = new URLSearchParams(location.hash.slice(1));
  return {
    user: query.get("user"), item: query.get("item"), basket: query.getAll("basket"), where: query.get("where") || "",
    k: query.get("k") || "20", cold: query.get("cold") === "1", seen: query.get("seen") === "1",
  };
};

const kept = () => ({
  where: $("where").value.trim(), k: $("k").value, cold: $("cold").checked ? 1 : "", seen: $("seen").checked ? 1 : "",
});

const visit = (go) => {
  const hash = address("", { ...kept(), ...go }).slice(1);
  if (location.hash.slice(1) === hash) show();
  else location.hash = hash;
};

const card = (one, rank, most, what) => {
  const popular = one.source === "popular";
  const marks = make("div", { class: "marks" });
  if (one.cold) marks.append(make("span", { class: "mark", text: "cold" }));
  if (MARKS[one.source] && !what.popular) marks.append(make("span", { class: "mark", text: MARKS[one.source] }));
  const meter = make("i");
  meter.style.width = `${most > 0 ? Math.max(2, (100 * Math.max(one.score, 0)) / most) : 0}%`;
  const score = make("div", { class: "score" }, make("span", { class: "rank", text: `${rank}.` }),
    make("span", { class: "meter", "aria-hidden": "true" }, meter),
    make("span", { title: popular ? "interactions" : what.item ? "cosine" : "score",
      text: popular ? `${count(one.score)} interactions` : number(one.score) }));
  const acts = make("div", { class: "acts" });
  const name = shown(one.title || one.item);
  if (what.user && !popular && one.source !== "content") {
    acts.append(make("button", { type: "button", class: "ask-why", text: "Why?", "aria-label": `Why ${name}?`,
      click: () => showWhy(what.user, one.item) }));
  }
  acts.append(
    make("button", { type: "button", text: "Similar", "aria-label": `Items like ${name}`, click: () => visit({ item: one.item }) }),
    make("button", { type: "button", text: "+ Basket", "aria-label": `Put ${name} into the basket`,
      click: () => visit({ basket: [...new Set([...what.basket, ...(what.item ? [what.item] : []), one.item])] }) }),
  );
  const inner = make("div", { class: "inner" }, make("h2", { dir: "auto", text: one.title || one.item }));
  if (one.title) inner.append(make("div", { class: "id", dir: "auto", text: one.item }));
  inner.append(make("div", { class: "facts", dir: "auto" }), marks, score, acts);
  const made = make("li", { class: "card" }, thumb(one.title || one.item, null), inner);
  made.dataset.item = one.item;
  return made;
};

const few = (columns) => Object.entries(columns)
  .filter(([name, value]) => name !== "text" && String(value).length <= 40)
  .slice(0, 4).map(([name, value]) => `${name} ${value}`).join(" · ");

const adorn = (known) => {
  for (const made of $("results").children) {
    const one = known.get(made.dataset.item);
    if (!one) continue;
    if (one.image) made.firstChild.replaceWith(thumb(one.title || one.item, one.image));
    made.querySelector(".facts").textContent = shown(few(one.columns));
  }
};

const question = (what) => {
  const rules = { k: Number(what.k), include_cold: what.cold, where: what.where };
  if (what.user !== null) {
    return ["Recommended for user", address("v1/recommend", { ...rules, user: what.user, unknown: "popular", seen: what.seen ? "keep" : "" })];
  }
  if (what.item !== null) return ["Items like", address("v1/similar", { ...rules, item: what.item })];
  const body = { ...rules, items: what.basket, where: what.where || null, seen: what.seen ? "keep" : "hide" };
  return ["Recommended to somebody who has", "v1/basket", body];
};

const popular = async (signal) => {
  const found = await ask(address("v1/items", { limit: 12 }), undefined, signal);
  return found.items.map((one) => ({ ...one, score: one.interactions, source: "popular" }));
};

const list = async (items, what, notes, signal) => {
  const most = Math.max(0, ...items.map((one) => one.score));
  $("results").replaceChildren(...items.map((one, place) => card(one, place + 1, most, what)));
  $("status").textContent = `${items.length} items`;
  $("notes").textContent = shown(notes.join(" "));
  if (items.length) adorn(await details(items.map((one) => one.item), signal));
};

const head = (what, kind, known) => {
  const item = what.item === null ? null : known.get(what.item);
  $("asked-kind").textContent = kind;
  $("asked-name").textContent = shown(what.user ?? (item?.title || what.item) ?? `${what.basket.length} items`);
  $("asked-more").textContent = item ? shown([item.title ? item.item : "", few(item.columns)].filter(Boolean).join(" · ")) : "";
  $("asked-image").replaceChildren(...(item ? [thumb(item.title || item.item, item.image)] : []));
  $("basket").replaceChildren(...what.basket.map((one) => make("button", {
    type: "button", text: `${known.get(one)?.title || one} ✕`, "aria-label": `Take ${shown(one)} out of the basket`,
    click: () => { const left = what.basket.filter((other) => other !== one); if (left.length) visit({ basket: left }); else location.hash = ""; },
  })));
  $("seen-box").hidden = what.item !== null;
  $("cold-box").hidden = !service.cold_items;
};

const show = async () => {
  const what = asked();
  going?.abort();
  going = new AbortController();
  const signal = going.signal;
  complain(null);
  if ($("why").open) $("why").close();
  const nothing = what.user === null && what.item === null && !what.basket.length;
  $("start").hidden = !nothing;
  $("asked").hidden = nothing;
  $("where").value = what.where; $("k").value = what.k; $("cold").checked = what.cold; $("seen").checked = what.seen;
  if (!$("k").value) $("k").value = "20";
  $("results").classList.add("wait");
  try {
    if (nothing) return list(await popular(signal), { ...what, popular: true }, [], signal);
    const [kind, path, body] = question(what);
    const about = await details(what.item === null ? what.basket : [what.item], signal);
    head(what, kind, about);
    const found = await ask(path, body, signal);
    const items = found.items || found.similar, notes = [...found.notes];
    if (!items.length) notes.push("Nothing is left to list.");
    else if (items[0].source === "popular") notes.push("Nothing was learned of this user: these are the most popular items.");
    await list(items, what, notes, signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    $("results").replaceChildren();
    $("notes").textContent = "";
    complain(error);
  } finally {
    if (!signal.aborted) $("results").classList.remove("wait");
  }
};

const insert = (name) => {
  const field = $("where"), plain = /^[A-Za-z_]\w*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
  field.value = `${field.value}${field.value && !field.value.endsWith(" ") ? " and " : ""}${plain} `;
  field.focus();
};

$("filters").addEventListener("submit", (event) => { event.preventDefault(); visit(only()); });
for (const id of ["k", "cold", "seen"]) $(id).addEventListener("change", () => visit(only()));
const only = () => { const { user, item, basket } = asked(); return user !== null ? { user } : item !== null ? { item } : { basket }; };
addEventListener("hashchange", show);

(async () => {
  try {
    service = await ask("v1/run");
  } catch (error) {
    complain(error);
    return;
  }
  document.title = shown(`${service.dataset} · alignrec-geo`);
  $("dataset").textContent = shown(service.dataset);
  const facts = [service.model, `${count(service.users)} users`, `${count(service.items)} items`];
  $("facts").textContent = shown(facts.filter(Boolean).join(" · "));
  const columns = Object.entries(service.columns).filter(([name]) => !["id", "text"].includes(name)).slice(0, 10);
  $("columns").replaceChildren(...columns.map(([name, kind]) =>
    make("button", { type: "button", text: name, title: shown(kind), click: () => insert(name) })));
  const [text] = columns.find(([name, kind]) => kind === "String" && name !== "title") || ["title"];
  $("where").placeholder = shown(`for example: ${text} like '%a%'`);
  $("examples").replaceChildren(...service.example_users.map((user) =>
    make("button", { type: "button", text: user, dir: "auto", click: () => visit({ user }) })));
  show();
})();
