// The page works without this. With it: drop, paste and preview, answers in place, and the bits that differ.
"use strict";
const MOST_BYTES = 16 * 2 ** 20;
const find = (name) => document.querySelector(name);
let asking = null;                      // the request under way; a newer one ends it

async function ask(submitter, address) {
  const data = new FormData(find("#ask"), submitter), file = find("#image").files[0];
  asking?.abort();
  asking = new AbortController();
  if (data.get("item")) data.delete("image");         // what is asked for lies on the server
  else if (file && file.size > MOST_BYTES) return tell(document.body.dataset.tooLarge);
  find("main").setAttribute("aria-busy", "true");
  find("#state").textContent = document.body.dataset.searching;
  try {
    const reply = await fetch(address, {method: "POST", body: data, signal: asking.signal});
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    page.querySelector("#result") ? show(page, address) : tell(document.body.dataset.lost);
  } catch (error) {
    if (error.name !== "AbortError") tell(document.body.dataset.lost);
  }
}

function show(page, address) {
  const image = find("#image"), preview = find("#preview"), fresh = page.querySelector("#preview");
  const atModes = document.activeElement.name === "mode";
  if (!page.querySelector("#again").value && image.files.length) {     // asked with a file: it stays, and its picture
    page.querySelector("#image").replaceWith(image);
    preview.alt = fresh.alt;
    fresh.replaceWith(preview);
  }
  document.documentElement.lang = page.documentElement.lang;
  document.title = page.title;
  document.body.replaceWith(page.body);
  history.replaceState(null, "", address);
  if (atModes) return find("[name=mode]:checked").focus({preventScroll: true});
  find("#result").focus({preventScroll: true});
  find("#result").scrollIntoView();
}

function tell(text) {
  find("main").removeAttribute("aria-busy");
  find("#state").textContent = "";
  const box = Object.assign(document.createElement("div"), {id: "problem"});
  box.setAttribute("role", "alert");
  box.append(Object.assign(document.createElement("h2"), {id: "result-title", textContent: document.body.dataset.problem}),
             Object.assign(document.createElement("p"), {textContent: text}));
  find("#result").replaceChildren(box);
  find("#result").focus();
}

function take(files) {
  const picture = [...files].find((file) => file.type.startsWith("image/")) || files[0];
  if (!picture) return;
  const list = new DataTransfer();
  list.items.add(picture);
  find("#image").files = list.files;
  chosen();
}

function chosen() {
  const file = find("#image").files[0], preview = find("#preview");
  if (!file) return;
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
  find("#again").value = "";
  search();
}

function mark(hit) {
  const strip = find("#code"), about = find("#differ"), {width} = strip.dataset;
  const own = strip.dataset.code, its = hit.dataset.code, differing = [];
  for (let bit = 0; bit < 4 * own.length; bit++) {
    const digit = Math.floor(bit / 4), place = 3 - bit % 4;
    if ((parseInt(own[digit], 16) ^ parseInt(its[digit], 16)) >> place & 1) differing.push(bit);
  }
  find("#marks").replaceChildren(...differing.map((bit) => {
    const wedge = document.createElementNS("http://www.w3.org/2000/svg", "path");
    wedge.setAttribute("d", `M${bit % width + .5} ${2 * Math.floor(bit / width) + 1.45}l.4 .5h-.8z`);
    return wedge;
  }));
  about.textContent = about.dataset.text.replace("{id}", hit.value || its).replace("{rank}", hit.dataset.rank)
    .replace("{bits}", differing.map((bit) => bit + 1).join(", ") || about.dataset.none);
}

function unmark() {
  find("#marks")?.replaceChildren();
  if (find("#differ")) find("#differ").textContent = find("#differ").dataset.note;
}

const search = () => find("#ask").requestSubmit(find("#search"));      // as by hand, so that k is looked at
const hasQuery = () => find("#image").files.length || find("#again").value;
const on = (name, listen) => document.addEventListener(name, listen);
on("submit", (event) => { event.preventDefault(); ask(event.submitter, event.target.getAttribute("action")); });
on("click", (event) => {
  const language = event.target.closest("nav a");
  if (!language || !hasQuery()) return;
  event.preventDefault();
  ask(null, language.getAttribute("href"));
});
on("change", (event) => {
  if (event.target.id === "image") chosen();
  else if (event.target.name === "mode" && hasQuery()) search();
});
on("paste", (event) => take(event.clipboardData.files));
on("dragover", (event) => { event.preventDefault(); find("#drop").classList.add("over"); });
on("dragleave", (event) => { if (!event.relatedTarget) find("#drop").classList.remove("over"); });
on("drop", (event) => { event.preventDefault(); find("#drop").classList.remove("over"); take(event.dataTransfer.files); });
for (const [enter, leave] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  on(enter, (event) => { const hit = event.target.closest?.(".hit"); if (hit) mark(hit); });
  on(leave, (event) => { if (event.target.closest?.(".hit")) unmark(); });
}
