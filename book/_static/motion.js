// A click stops a moving picture of the gallery; none moves for a reader who has asked for less motion.
document.addEventListener("DOMContentLoaded", () => {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.querySelectorAll(".gallery.motion video").forEach((video) => {
    if (still) { video.removeAttribute("autoplay"); video.pause(); }
    video.addEventListener("click", () => (video.paused ? video.play() : video.pause()));
  });
});
