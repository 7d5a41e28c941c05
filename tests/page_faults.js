// What a reader would stumble over in the page that is open, a line each; `tests.check_site` evaluates it in the browser.
(async () => {
  const article = document.querySelector(".bd-article, main") ?? document.body;
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  const faults = [];
  const told = (element) => element.outerHTML.slice(0, 120).replace(/\s+/g, " ");
  const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });

  for (const verdict of article.querySelectorAll(".verdict")) {
    if (seen(verdict) && verdict.getBoundingClientRect().right > window.innerWidth) {
      faults.push(`a verdict is seen only after scrolling sideways: ${told(verdict)}`);
    }
  }
  for (const picture of article.querySelectorAll("img")) {
    if (!picture.alt || picture.alt.includes("_images/")) faults.push(`a picture has no words: ${told(picture)}`);
  }

  const names = new Map();
  for (const control of article.querySelectorAll("button, video, input, select, details.hide > summary")) {
    const name = control.getAttribute("aria-label") || control.title || control.textContent.trim();
    if (!name) faults.push(`a control has no name: ${told(control)}`);
    else if (names.has(name) && names.get(name) === control.tagName) faults.push(`two controls have the name '${name}'`);
    names.set(name, control.tagName);
  }

  const [video] = article.querySelectorAll("video[autoplay]");
  if (video) {
    const button = video.parentElement.querySelector("button");
    if (video.paused) video.play().catch(() => {}); // which counts as playing at once
    button?.focus();
    button?.click(); // what Enter and the space bar do to a button
    if (document.activeElement !== button || !video.paused) faults.push("a video does not stop by the keyboard");
  }

  // Colours, composed from an element to the first opaque background behind it.
  const numbers = (colour) => (colour.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const over = ([r, g, b, alpha = 1], below) => [r, g, b].map((c, i) => c * alpha + below[i] * (1 - alpha));
  const background = (element) => {
    if (!element) return getComputedStyle(document.documentElement).colorScheme.includes("dark") && dark ? [18, 18, 18] : [255, 255, 255];
    const own = numbers(getComputedStyle(element).backgroundColor);
    return (own[3] ?? 1) === 1 ? own.slice(0, 3) : over(own, background(element.parentElement));
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => (c / 255 <= 0.03928 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  const pale = new Set();
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const element = text.parentElement;
    if (!text.data.trim() || element.closest("script, style, svg, math, kbd, .search-button__kbd-shortcut")) continue;
    if (!element.closest("code, pre") && /\\\(|\\\[|\$\$|\\(frac|times|text|mathbf|sum|cdot|le|ge)\b/.test(text.data)) {
      faults.push(`raw TeX: ${text.data.trim().slice(0, 60)}`);
    }
    if (!seen(element)) continue;
    const behind = background(element);
    const tones = [light(over(numbers(getComputedStyle(element).color), behind)), light(behind)].sort((a, b) => b - a);
    if ((tones[0] + 0.05) / (tones[1] + 0.05) < 3) pale.add(`text is hardly seen: ${text.data.trim().slice(0, 40)}`);
  }
  return [...faults, ...[...pale].slice(0, 3)];
})()
