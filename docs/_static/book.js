// Show where the reader is in the list of chapters.
window.addEventListener("load", () => {
  const list = document.querySelector(".sidebar-scroll");
  const here = list?.querySelector(".current-page");
  if (!here) return;
  const below = here.getBoundingClientRect().top - list.getBoundingClientRect().top;
  list.scrollTo({ top: list.scrollTop + below - list.clientHeight / 2, behavior: "instant" });
});
