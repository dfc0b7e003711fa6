"use strict";
// Before anything is painted: the chosen theme, or the system's.
(() => {
  let theme = null;
  try { theme = localStorage.getItem("streamrnn-theme"); } catch { /* storage may be forbidden */ }
  if (theme !== "light" && theme !== "dark") {
    theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }
  document.documentElement.dataset.theme = theme;
})();
