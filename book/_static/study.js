// Every video has a button that stops it, for readers without a mouse; none moves for a reader who asked for less motion.
function addPauseButton(video) {
  const button = document.createElement("button");
  const place = document.createElement("span");
  const show = () => {
    button.textContent = video.paused ? "▶" : "❚❚";
    button.setAttribute("aria-label", `${video.paused ? "Play" : "Pause"}: ${video.getAttribute("aria-label")}`);
  };
  place.className = "moving";
  button.type = "button";
  video.replaceWith(place);
  place.append(video, button);
  for (const event of ["play", "pause"]) video.addEventListener(event, show);
  for (const clicked of [video, button]) {
    clicked.addEventListener("click", () => (video.paused ? video.play() : video.pause()));
  }
  if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
    video.removeAttribute("autoplay");
    video.pause();
  } else if (video.autoplay) {
    video.play().catch(() => {}); // moving an element in the page stops it
  }
  show();
}

// Screen readers list controls by name: "Show the code" forty times tells nothing, so each has its number.
function numberControls(selector, name) {
  document.querySelectorAll(selector).forEach((control, i) => control.setAttribute("aria-label", `${name} ${i + 1}`));
}

// On a phone the cells of a table with verdicts stand below each other (study.css), each with the name of its column.
function nameCells(table) {
  const names = [];
  for (const row of table.tHead.rows) {
    const cells = [...row.cells].flatMap((cell) => Array(cell.colSpan).fill(cell.textContent.trim()));
    cells.forEach((name, i) => (names[i] = [names[i], name].filter(Boolean).join(", ")));
  }
  for (const row of table.tBodies[0].rows) [...row.cells].forEach((cell, i) => (cell.dataset.column = names[i]));
}

window.addEventListener("load", () => {
  document.querySelectorAll(".bd-article video").forEach(addPauseButton);
  document.querySelectorAll("table.study-table:has(.verdict)").forEach(nameCells);
  numberControls(".bd-article details.hide > summary", "Show or hide the code,");
  numberControls(".bd-article button.copybtn", "Copy the code,");
});
