"use strict";
// Text of the data is only ever shown through textContent; nothing here makes markup of it.
const $ = (id) => document.getElementById(id);

const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u061c\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]/gu;
const SPACES = /[\t\n\v\f\r\u001c-\u001e\u0085\u2028\u2029]+/g;

// As alignrec_geo.plain.printable: control characters and what turns text around become escapes.
const shown = (text) => String(text).replace(SPACES, " ").replace(CONTROLS, (sign) => {
  const code = sign.codePointAt(0);
  return code < 256 ? "\\x" + code.toString(16).padStart(2, "0") : "\\u" + code.toString(16).padStart(4, "0");
});

const make = (tag, given = {}, ...inner) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name === "text") made.textContent = shown(value);
    else if (name === "click") made.addEventListener("click", value);
    else if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...inner);
  return made;
};

const count = (value) => value.toLocaleString("en");
const number = (value, digits = 3) => {
  const small = value !== 0 && Math.abs(value) < 0.001;
  return (small ? value.toExponential(1) : value.toFixed(digits)).replace("-", "−");
};
const signed = (value) => (value < -0.00005 ? "−" : "+") + Math.abs(value).toFixed(4);

// One address for a question; lists become repeated names, and what is not given is left out.
const address = (path, given) => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(given)) {
    if (Array.isArray(value)) value.forEach((one) => query.append(name, one));
    else if (value !== undefined && value !== "" && value !== false && value !== null) query.set(name, value);
  }
  return path + "?" + query;
};

const ask = async (path, body, signal) => {
  const options = { signal, headers: { accept: "application/json" } };
  if (body !== undefined) {
    options.method = "POST";
    options.body = JSON.stringify(body);
    options.headers["content-type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the service cannot be reached");
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.detail || `the service answered ${answer.status}`);
  return said;
};

// An image where there is one, else the first letters of the title.
const thumb = (title, image, side = 320) => {
  const letters = [...shown(title).replace(/[^\p{L}\p{N} ]/gu, "").trim()].slice(0, 2).join("") || "·";
  const made = make("div", { class: "thumb", "aria-hidden": "true", text: letters });
  if (image) {
    const picture = make("img", { alt: "", loading: "lazy", src: `${image}&side=${side}` });
    picture.addEventListener("error", () => picture.remove());
    made.append(picture);
  }
  return made;
};

const details = async (ids, signal) => {
  const known = new Map();
  for (let first = 0; first < ids.length; first += 50) {
    const some = await ask(address("v1/items", { id: ids.slice(first, first + 50) }), undefined, signal);
    for (const one of some.items) known.set(one.item, one);
  }
  return known;
};
