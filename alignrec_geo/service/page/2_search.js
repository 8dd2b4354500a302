// The search field: users and items that fit, chosen by mouse or by the arrow keys.
const search = { hits: [], at: -1, shown: "", turn: 0, stop: null, timer: 0 };

const closeSearch = () => {
  $("found").hidden = true;
  $("query").setAttribute("aria-expanded", "false");
  $("query").removeAttribute("aria-activedescendant");
  search.at = -1;
};

const mark = (at) => {
  search.hits.forEach((hit, place) => hit.setAttribute("aria-selected", String(place === at)));
  search.at = at;
  if (at < 0) return;
  $("query").setAttribute("aria-activedescendant", search.hits[at].id);
  search.hits[at].scrollIntoView({ block: "nearest" });
};

const hit = (go, ...inner) => {
  const made = make("div", { class: "hit", role: "option", "aria-selected": "false" }, ...inner);
  made.id = `hit-${search.hits.length}`;
  made.addEventListener("mousedown", (event) => { event.preventDefault(); choose(go); });
  made.go = go;
  search.hits.push(made);
  return made;
};

const choose = (go) => {
  closeSearch();
  $("query").value = "";
  visit(go);
};

const look = async () => {
  const query = $("query").value.trim(), turn = ++search.turn;
  search.stop?.abort();
  if (!query) return closeSearch();
  search.stop = new AbortController();
  const signal = search.stop.signal;
  try {
    const [users, items] = await Promise.all([
      ask(address("v1/users", { search: query, limit: 5 }), undefined, signal),
      ask(address("v1/items", { search: query, limit: 8 }), undefined, signal),
    ]);
    if (turn !== search.turn) return;
    search.hits = [];
    search.shown = query;
    const inner = [];
    if (users.users.length) inner.push(make("h3", { text: "Users" }));
    for (const user of users.users) {
      inner.push(hit({ user }, make("span", { class: "name", dir: "auto", text: user })));
    }
    if (items.items.length) inner.push(make("h3", { text: "Items" }));
    for (const one of items.items) {
      const name = make("div", { class: "name" }, make("div", { dir: "auto", text: one.title || one.item }));
      if (one.title) name.append(make("div", { class: "id", dir: "auto", text: one.item }));
      const marks = one.cold ? [make("span", { class: "mark", text: "cold" })] : [];
      inner.push(hit({ item: one.item }, thumb(one.title || one.item, one.image, 160), name, ...marks));
    }
    if (!inner.length) inner.push(make("div", { class: "none", text: "No user and no item has these words." }));
    $("found").replaceChildren(...inner);
    $("found").hidden = false;
    $("query").setAttribute("aria-expanded", "true");
    mark(search.hits.length ? 0 : -1);
  } catch (error) {
    if (error.name !== "AbortError") complain(error);
  }
};

$("query").addEventListener("input", () => { clearTimeout(search.timer); search.timer = setTimeout(look, 120); });
$("query").addEventListener("focus", () => { if ($("query").value.trim()) look(); });
$("query").addEventListener("blur", closeSearch);
$("query").addEventListener("keydown", (event) => {
  const among = search.hits.length;
  if (event.key === "Escape") closeSearch();
  if ($("found").hidden || !among) return;
  if (event.key === "ArrowDown") mark((search.at + 1) % among);
  else if (event.key === "ArrowUp") mark((search.at + among - 1) % among);
  else return;
  event.preventDefault();
});
$("search").addEventListener("submit", async (event) => {
  event.preventDefault();
  clearTimeout(search.timer);
  // what is listed may still be that of fewer letters
  if ($("found").hidden || search.at < 0 || search.shown !== $("query").value.trim()) await look();
  if (search.at >= 0) choose(search.hits[search.at].go);
});
