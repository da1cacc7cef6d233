/* What keeps people from using the page that is shown: findFaults() says it in sentences. For the rules see WCAG 2.2, level AA. */
function findFaults() {
  const faults = [];

  function path(element) {
    const id = element.id ? "#" + element.id : "";
    return element.tagName.toLowerCase() + id + " \"" + (element.textContent || element.value || "").trim().slice(0, 40) + "\"";
  }

  function isSeen(element) {
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    return style.visibility === "visible" && style.display !== "none" && box.width > 1 && box.height > 1 &&
      (!element.checkVisibility || element.checkVisibility());
  }

  /* ---- structure ---- */

  function checkStructure() {
    if (!document.documentElement.lang) faults.push("the page has no language");
    if (!document.title.trim()) faults.push("the page has no title");
    if (document.querySelectorAll("h1").length !== 1) faults.push("there are " + document.querySelectorAll("h1").length + " h1");
    for (const mark of ["main", "header", "footer"])
      if (document.querySelectorAll(mark).length !== 1) faults.push("there is not one " + mark);
    if (document.body.classList.contains("inside") && !document.querySelector("nav[aria-label]")) faults.push("there is no navigation");
    let level = 0;
    for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
      const is = Number(heading.tagName[1]);
      if (is > level + 1) faults.push("a heading skips a level: " + path(heading));
      level = is;
    }
    const seen = new Set();
    for (const element of document.querySelectorAll("[id]")) {
      if (seen.has(element.id)) faults.push("an id stands twice: " + element.id);
      seen.add(element.id);
    }
    for (const element of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
      for (const id of ((element.getAttribute("aria-labelledby") || "") + " " + (element.getAttribute("aria-describedby") || "")).split(" "))
        if (id && !document.getElementById(id)) faults.push("a label is not there: " + id);
  }

  /* ---- names ---- */

  function nameOf(element) {
    const labels = element.labels ? Array.from(element.labels).map((label) => label.textContent).join(" ") : "";
    const by = (element.getAttribute("aria-labelledby") || "").split(" ").map((id) => (document.getElementById(id) || {}).textContent || "").join(" ");
    return (element.getAttribute("aria-label") || by.trim() || labels || "").trim();
  }

  function checkNames() {
    for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
      if (!nameOf(field)) faults.push("a field has no label: " + path(field) + " name=" + field.name);
    for (const thing of document.querySelectorAll("button, a[href], summary"))
      if (!nameOf(thing) && !thing.textContent.trim()) faults.push("it has no name: " + thing.outerHTML.slice(0, 100));
    for (const picture of document.querySelectorAll("svg, img"))
      if (picture.getAttribute("aria-hidden") !== "true" && !nameOf(picture) && !picture.getAttribute("alt")) faults.push("a picture has no name");
    for (const table of document.querySelectorAll("table")) {
      if (!table.caption) faults.push("a table has no caption: " + path(table));
      for (const cell of table.querySelectorAll("th")) if (!cell.scope) faults.push("a heading of a table has no scope: " + path(cell));
    }
  }

  /* ---- contrast ---- */

  function colour(text) {
    const numbers = (text.match(/[\d.]+/g) || []).map(Number);
    if (!/^rgba?\(/.test(text) || numbers.length < 3) throw new Error("a colour that is not understood: " + text);
    return { r: numbers[0], g: numbers[1], b: numbers[2], a: numbers.length > 3 ? numbers[3] : 1 };
  }

  function over(front, back) {
    const mix = (name) => front[name] * front.a + back[name] * (1 - front.a);
    return { r: mix("r"), g: mix("g"), b: mix("b"), a: 1 };
  }

  /* All colours that may be behind it: of a gradient, any of its stops. null: a picture, of which nobody could say. */
  function groundsOf(element) {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      const isGradient = /^(repeating-)?(linear|radial|conic)-gradient/.test(style.backgroundImage);
      if (style.backgroundImage !== "none" && !isGradient) return null;
      const stops = isGradient ? style.backgroundImage.match(/rgba?\([^)]*\)/g).map(colour) : [];
      layers.push([colour(style.backgroundColor)], ...(stops.length > 0 ? [stops] : []));
      if (stops.length > 0 ? stops.every((stop) => stop.a === 1) : layers[layers.length - 1][0].a === 1) break;
    }
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    let grounds = [dark ? { r: 18, g: 18, b: 18, a: 1 } : { r: 255, g: 255, b: 255, a: 1 }];
    for (const layer of layers.reverse()) grounds = grounds.flatMap((ground) => layer.map((one) => over(one, ground)));
    return grounds;
  }

  function leastContrast(front, grounds) {
    return Math.min(...grounds.map((ground) => contrast(over(front, ground), ground)));
  }

  function brightness(c) {
    const part = (value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : Math.pow((share + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * part(c.r) + 0.7152 * part(c.g) + 0.0722 * part(c.b);
  }

  function contrast(one, other) {
    const [low, high] = [brightness(one), brightness(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }

  function opacityOf(element) {
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    return opacity;
  }

  function checkText(element, text) {
    const style = getComputedStyle(element);
    const grounds = groundsOf(element);
    if (!grounds) {
      faults.push("text stands on a picture: " + path(element));
      return;
    }
    const ink = colour(element instanceof SVGElement ? style.fill : style.color);
    ink.a *= opacityOf(element);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const is = leastContrast(ink, grounds);
    if (is < (isLarge ? 3 : 4.5)) faults.push("contrast " + is.toFixed(2) + ": " + path(element) + " " + text.trim().slice(0, 30));
  }

  function checkContrast() {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const done = new Set();
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || done.has(element) || element.closest("option, title, desc, :disabled") || !isSeen(element)) continue;
      done.add(element);
      checkText(element, node.data);
    }
    for (const field of document.querySelectorAll("input:not([type=hidden]):not([type=checkbox]), select, textarea")) {
      if (!isSeen(field)) continue;
      checkText(field, field.value);
      const edge = colour(getComputedStyle(field).borderTopColor);
      const grounds = groundsOf(field.parentElement);
      if (grounds && leastContrast(edge, grounds) < 3) faults.push("the edge of a field is hard to see: " + path(field));
    }
  }

  /* ---- width ---- */

  function checkWidth() {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return;
    const wide = Array.from(document.querySelectorAll("body *")).filter((one) => isSeen(one) && one.getBoundingClientRect().right > root.clientWidth + 1 &&
      !one.closest(".table, pre, .places"));
    faults.push("the page is " + root.scrollWidth + " wide on " + root.clientWidth + ": " + wide.slice(0, 3).map(path).join(", "));
  }

  checkStructure();
  checkNames();
  checkContrast();
  checkWidth();
  return faults;
}
