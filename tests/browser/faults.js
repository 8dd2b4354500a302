// What is wrong with a page as it is shown: one sentence per fault. Called with {scrolls, contrast}.
({ scrolls, contrast: least }) => {
  const faults = [];
  const view = document.documentElement.clientWidth;
  const name = (el) => {
    const kind = typeof el.className === "string" && el.className ? "." + el.className.trim().split(/\s+/).join(".") : "";
    return `<${el.tagName.toLowerCase()}${kind}> "${(el.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40)}"`;
  };
  // what lies left of the window (a drawer that is not pulled out) cannot be scrolled to
  const shown = (el) =>
    el.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && el.getBoundingClientRect().right > 0;

  // the page as a whole
  const wide = document.documentElement.scrollWidth;
  if (wide > view) faults.push(`the page is ${wide} px wide in a window of ${view} px`);
  if (!document.title.trim()) faults.push("the page has no title");
  if (!document.documentElement.lang) faults.push("the page names no language");

  // what is cut off: hidden overflow anywhere, and scrolled boxes where there is room for them
  for (const el of document.querySelectorAll("body *:not(svg *)")) {
    const style = getComputedStyle(el);
    if (!shown(el) || style.display === "inline" || el.closest("svg, math")) continue;
    if (el.clientWidth <= 1 && el.clientHeight <= 1) continue; // for screen readers only
    const cut = ["hidden", "clip"];
    const over = el.scrollWidth - el.clientWidth;
    if (over > 1 && cut.includes(style.overflowX)) faults.push(`${over} px of ${name(el)} are cut off at its side`);
    if (el.scrollHeight - el.clientHeight > 1 && cut.includes(style.overflowY) && el.clientHeight > 1)
      faults.push(`${name(el)} is cut off below`);
    if (over > 1 && !scrolls && ["auto", "scroll"].includes(style.overflowX))
      faults.push(`${name(el)} has to be scrolled by ${over} px`);
  }

  // images
  for (const img of document.images) {
    if (!shown(img)) continue;
    img.loading = "eager";
    if (!img.complete || !img.naturalWidth) faults.push(`an image is not shown: ${img.src.slice(0, 60)}`);
    if (!img.hasAttribute("alt")) faults.push(`an image has no alternative text: ${img.src.slice(0, 60)}`);
  }

  // charts: a name, axes with numbers or words, text inside the chart, large enough, not on top of other text
  for (const svg of document.querySelectorAll("svg[role=img]")) {
    if (!shown(svg)) continue;
    const title = svg.getAttribute("aria-label") || svg.querySelector("title")?.textContent || "";
    const called = `chart "${title.slice(0, 60)}"`;
    if (!title.trim()) faults.push("a chart has no title");
    if (!svg.hasAttribute("data-no-axes") && svg.querySelectorAll(".axis text").length < 2)
      faults.push(`${called} has no axes`);
    const frame = svg.getBoundingClientRect();
    const boxes = [...svg.querySelectorAll("text")].filter((t) => t.textContent.trim()).map((t) => [t, t.getBoundingClientRect()]);
    boxes.forEach(([text, box], n) => {
      const said = `"${text.textContent.trim().slice(0, 30)}" of ${called}`;
      if (box.left < frame.left - 1.5 || box.right > frame.right + 1.5 || box.top < frame.top - 1.5 || box.bottom > frame.bottom + 1.5)
        faults.push(`${said} is cut off`);
      const size = parseFloat(getComputedStyle(text).fontSize) * Math.abs(text.getScreenCTM().a || text.getScreenCTM().b);
      if (size < 8.5) faults.push(`${said} is ${size.toFixed(1)} px high`);
      for (const [other, there] of boxes.slice(n + 1)) {
        const across = Math.min(box.right, there.right) - Math.max(box.left, there.left);
        const down = Math.min(box.bottom, there.bottom) - Math.max(box.top, there.top);
        if (across > 1.5 && down > Math.min(box.height, there.height) * 0.3)
          faults.push(`${said} lies on "${other.textContent.trim().slice(0, 30)}"`);
      }
    });
  }

  // contrast of every piece of text with what it stands on (WCAG 2, relative luminance)
  const rgba = (text) => {
    const numbers = (text.match(/-?[\d.]+(e-?\d+)?%?/g) || []).map(parseFloat);
    if (text.startsWith("color(srgb")) return [...numbers.slice(0, 3).map((v) => v * 255), numbers[3] ?? 1];
    if (text.startsWith("rgb")) return [...numbers.slice(0, 3), numbers[3] ?? 1];
    return null; // a paint server, or a colour space that no page of ours uses
  };
  const over = (top, below) => [0, 1, 2].map((c) => top[c] * top[3] + below[c] * (1 - top[3])).concat(1);
  const ground = (el) => {
    const layers = [];
    for (let at = el; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour && colour[3] > 0) layers.push(colour);
      if (colour && colour[3] >= 1) break;
    }
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const canvas = dark && /dark/.test(getComputedStyle(document.documentElement).colorScheme) ? [18, 18, 18, 1] : [255, 255, 255, 1];
    return layers.reduceRight((below, top) => over(top, below), canvas);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const seen = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const el = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || seen.has(el) || !shown(el)) continue;
    if (el.closest("style, script, title, desc, template, noscript")) continue;
    const box = el.getBoundingClientRect();
    if (box.width <= 1 || box.height <= 1) continue; // for screen readers only
    seen.add(el);
    const style = getComputedStyle(el);
    const ink = rgba(el.closest("svg") ? style.fill : style.color);
    if (!ink) continue;
    let opacity = 1;
    for (let at = el; at; at = at.parentElement) opacity *= parseFloat(getComputedStyle(at).opacity);
    const paper = ground(el);
    const a = light(over([...ink.slice(0, 3), ink[3] * opacity], paper));
    const b = light(paper);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least) faults.push(`contrast ${ratio.toFixed(2)} of ${name(el)}`);
  }
  return faults;
};
