// One clock for all instants of a page, set by the server's, so that ages tick without a message.
const now = Vue.ref(serverTime());
setInterval(() => (now.value = serverTime()), 1000);

function serverTime() {
  return Date.now() + (window.flexipriceClockOffset || 0);
}

function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

function clock(at, reference) {
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  if (at.toDateString() === reference.toDateString()) return time;
  const year = at.getFullYear() === reference.getFullYear() ? undefined : "numeric";
  return `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short", year })} ${time}`;
}

export default {
  template: `<time :datetime="exact" :title="title">{{ text }}</time>`,
  props: { at: Number, mode: String },
  computed: {
    exact() {
      return this.at == null ? undefined : new Date(this.at).toISOString();
    },
    title() {
      return this.exact?.replace("T", " ").replace("Z", " UTC");
    },
    text() {
      if (this.at == null) return "–";
      if (this.mode === "ago") return `${span(now.value - this.at)} ago`;
      if (this.mode === "age") return span(now.value - this.at);
      if (this.mode === "in") return this.at > now.value ? `in ${span(this.at - now.value)}` : "now";
      return clock(new Date(this.at), new Date());
    },
  },
};
