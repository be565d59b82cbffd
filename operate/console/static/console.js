// The picture's zoom by keyboard, wheel and drag; its words on hover and tap; and the player, whose
// cursor runs through it. Everything works without a mouse; nothing is loaded from elsewhere.
"use strict";

const figure = document.getElementById("picture");
const told = document.getElementById("told");
let video = null;
let hls = null;

// --- the picture --------------------------------------------------------------------------------

function drawn() {
  const svg = figure && figure.querySelector("svg.picture");
  if (!svg) return null;
  const { from, to, left, width } = svg.dataset;
  return { svg, from: +from, to: +to, left: +left, width: +width };
}

function show(from, to) {
  const width = Math.round(figure.clientWidth - 26);
  const window = from === undefined ? "" : `from=${Math.round(from)}&to=${Math.round(to)}&`;
  draw(`${figure.dataset.base}${window}width=${width}`);
}

function draw(address) {
  htmx.ajax("GET", address, { source: "#picture", target: "#picture", swap: "innerHTML" });
}

function instantAt(event, picture) {
  const box = picture.svg.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * picture.width;
  if (x < picture.left) return null;
  return picture.from + ((x - picture.left) / (picture.width - picture.left)) * (picture.to - picture.from);
}

function tell(shape) {
  figure.querySelectorAll(".chosen").forEach((each) => each.classList.remove("chosen"));
  shape.classList.add("chosen");
  told.textContent = shape.querySelector("title").textContent;
  told.hidden = false;
}

// A key does what its button would do, also in the moment before htmx knows the new button.
function press(name) {
  const button = document.getElementById(`go-${name}`);
  if (button) draw(button.getAttribute("hx-get"));
}

// The shapes that the arrow keys of a screen reader or `n` and `p` walk through.
function walk(step) {
  const shapes = [...figure.querySelectorAll(".lane .bar, .lane .mark")];
  if (!shapes.length) return;
  const at = shapes.findIndex((each) => each.classList.contains("chosen"));
  tell(shapes[(at + step + shapes.length) % shapes.length]);
}

if (figure) {
  show();
  let width = figure.clientWidth;
  let later = 0;
  addEventListener("resize", () => {
    if (figure.clientWidth === width) return;
    width = figure.clientWidth;
    clearTimeout(later);
    later = setTimeout(() => {
      const picture = drawn();
      if (picture) show(picture.from, picture.to);
    }, 200);
  });

  figure.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "earlier", ArrowRight: "later", 0: "whole" };
    if (keys[event.key]) press(keys[event.key]);
    else if (event.key === "n") walk(1);
    else if (event.key === "p") walk(-1);
    else return;
    event.preventDefault();
  });

  figure.addEventListener("mouseover", (event) => {
    if (event.target.matches(".lane .bar, .lane .mark")) tell(event.target);
  });

  let wheeled = 0;
  figure.addEventListener("wheel", (event) => {
    const picture = drawn();
    if (!picture || !(event.ctrlKey || event.shiftKey)) return;
    event.preventDefault();
    const at = instantAt(event, picture);
    if (at === null || Date.now() - wheeled < 150) return;
    wheeled = Date.now();
    const by = (event.deltaY || event.deltaX) > 0 ? 2 : 0.5;
    show(at - (at - picture.from) * by, at + (picture.to - at) * by);
  }, { passive: false });

  // A drag chooses the time to zoom to; a click or a tap tells, and moves the player.
  let begun = null;
  figure.addEventListener("pointerdown", (event) => {
    const picture = drawn();
    if (picture && picture.svg.contains(event.target)) begun = { x: event.clientX, at: instantAt(event, picture) };
  });
  figure.addEventListener("pointerup", (event) => {
    const picture = drawn();
    if (!begun || !picture) return;
    const at = instantAt(event, picture);
    const isDrag = Math.abs(event.clientX - begun.x) > 12 && event.pointerType === "mouse";
    if (isDrag && at !== null && begun.at !== null) {
      show(Math.min(at, begun.at), Math.max(at, begun.at));
    } else {
      if (event.target.matches(".lane .bar, .lane .mark")) tell(event.target);
      if (at !== null) seek(at);
    }
    begun = null;
  });
  figure.addEventListener("dblclick", (event) => {
    const picture = drawn();
    const at = picture && instantAt(event, picture);
    if (at === null || !picture) return;
    const half = (picture.to - picture.from) / 6;
    show(at - half, at + half);
  });
  document.body.addEventListener("htmx:afterSwap", moveCursor);
  document.body.addEventListener("htmx:afterSwap", (event) => {
    // When the state changes, the picture and the files change with it.
    if (event.detail.target.id !== "state") return;
    const state = document.getElementById("state");
    if (state && state.dataset.status !== figure.dataset.status) {
      if (figure.dataset.status && !state.hasAttribute("hx-get")) location.reload();
      figure.dataset.status = state.dataset.status;
      show();
    }
  });
  figure.dataset.status = document.getElementById("state").dataset.status;
}

// --- the player ---------------------------------------------------------------------------------

function play(button) {
  document.querySelectorAll(".source").forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
  if (hls) hls.destroy();
  hls = null;
  if (button.dataset.kind === "hls" && window.Hls && Hls.isSupported()) {
    hls = new Hls({ enableWorker: false, maxBufferLength: 12 });
    hls.on(Hls.Events.ERROR, (_, problem) => {
      if (problem.fatal) say(`It cannot be played: ${problem.details}.`);
    });
    hls.loadSource(button.dataset.src);
    hls.attachMedia(video);
  } else {
    video.src = button.dataset.src;
  }
}

function say(words) {
  document.getElementById("playing").textContent = words;
}

function moveCursor() {
  const picture = drawn();
  const at = hls && hls.playingDate ? hls.playingDate.getTime() : null;
  if (!picture || at === null) return;
  const share = (at - picture.from) / (picture.to - picture.from);
  const x = share < 0 || share > 1 ? -9 : picture.left + share * (picture.width - picture.left);
  const line = document.getElementById("cursor");
  line.setAttribute("x1", x);
  line.setAttribute("x2", x);
  say(`Plays ${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC.`);
}

function seek(at) {
  const level = hls && hls.levels && hls.levels[Math.max(hls.currentLevel, 0)];
  const pieces = (level && level.details && level.details.fragments) || [];
  const piece = pieces.find((each) => each.programDateTime !== null && at < each.programDateTime + each.duration * 1000);
  if (piece) video.currentTime = piece.start + Math.max((at - piece.programDateTime) / 1000, 0) + 0.01;
}

// The player appears when the first file can be played.
function mount() {
  const found = document.getElementById("video");
  if (!found || found === video) return;
  video = found;
  document.querySelectorAll(".source").forEach((each) => each.addEventListener("click", () => play(each)));
  video.addEventListener("timeupdate", moveCursor);
  video.addEventListener("seeking", moveCursor);
  play(document.querySelector(".source"));
}

mount();
document.body.addEventListener("htmx:afterSettle", mount);

// --- an address to copy ---------------------------------------------------------------------------

document.body.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Press Ctrl+C"; // it is selected
  }
});
