// Why an item has its score: the parts of the score, and the past items that bring it.
const PARTS = {
  "identity-identity": "user's identity · item's identity",
  "identity-content": "user's identity · item's content",
  "content-identity": "user's content · item's identity",
  "content-content": "user's content · item's content",
  rest: "the rest: biases, and what derivatives leave over",
};
const SEEN = 0.00005;

const bar = (kind, value, most) => {
  const made = make("span", { class: `pair ${kind}${value < 0 ? " minus" : ""}` });
  made.style.width = `${most > 0 ? Math.max(1, (100 * Math.abs(value)) / most) : 0}%`;
  return made;
};

const rows = (values, names = {}) => {
  const table = make("table", { class: "parts" });
  for (const [name, value] of Object.entries(values)) {
    if (Math.abs(value) < SEEN) continue;
    table.append(
      make("tr", {}, make("th", { scope: "row", text: names[name] || name }), make("td", { class: "value", text: signed(value) })),
    );
  }
  return table;
};

const showWhy = async (user, item) => {
  const box = $("why"), body = $("why-body");
  $("why-name").textContent = "Why?";
  body.replaceChildren(make("p", { class: "soft", text: "The model is asked …" }));
  box.showModal();
  try {
    const why = await ask(address("v1/explain", { user, item, k: 15 }));
    const known = await details(why.history.map((one) => one.item));
    $("why-name").textContent = shown(why.title || why.item);
    const place = why.rank === null ? "one of the user's own items"
      : `place ${count(why.rank)} of ${count(why.candidates)} items that the user has not`;
    const most = Math.max(0, ...why.history.flatMap((one) => [Math.abs(one.identity), Math.abs(one.content)]));
    const kinds = ["identity", "content"].filter((kind) => why.history.some((one) => Math.abs(one[kind]) >= SEEN));
    const list = make("ol", { class: "why-list" });
    for (const one of why.history) {
      const name = make("div", { class: "name" }, make("div", { dir: "auto", text: one.title || one.item }));
      name.append(...kinds.map((kind) => bar(kind, one[kind], most)));
      const image = known.get(one.item)?.image;
      list.append(
        make("li", {}, thumb(one.title || one.item, image, 160), name,
          make("span", { class: "value", text: signed(one.identity + one.content) })),
      );
    }
    const left = { ...why.elsewhere };
    if (why.more.items) left[`${why.more.items} more past items`] = why.more.identity + why.more.content;
    if (why.history_is !== "exact") left["not of first order"] = why.remainder;
    body.replaceChildren(
      make("p", {}, make("strong", { text: `Score ${number(why.score, 4)}` }), `, ${place} (${shown(why.user)}).`),
      make("h3", { text: `Past items that bring it (${why.history_is})` }),
      ...(why.history.length
        ? [make("p", {}, ...kinds.map((kind) => make("span", { class: "key" }, bar(kind, 0, 0), `of ${kind}`))), list]
        : [make("p", { class: "soft", text: "None: this model learns every user's vector by itself." })]),
      rows(left),
      make("h3", { text: `Parts of the score (${why.parts_are})` }), rows(why.parts, PARTS),
      make("h3", { text: "Where the user's vector begins" }), rows(why.sources),
    );
    for (const key of body.querySelectorAll(".key .pair")) key.style.width = "";
  } catch (error) {
    body.replaceChildren(make("p", { class: "soft", text: error.message }));
  }
};

$("why-close").addEventListener("click", () => $("why").close());
$("why").addEventListener("click", (event) => { if (event.target === $("why")) $("why").close(); });
