// Three machines on this machine: network namespaces for the server, the clients, and a router between them. Cables can be pulled,
// the way can swallow packets, and the clients' address can change.
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const school = "lyceum-school";
const router = "lyceum-router";
const home = "lyceum-home";
const addresses = { school: "10.77.0.1", routerAtSchool: "10.77.0.254", routerAtHome: "10.77.1.254" };

const ip = (...words) => execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
const within = (machine, ...words) => ip("-n", machine, ...words);

export class Network {
  serverAddress = addresses.school;
  #host = 2;

  static create() {
    Network.remove();
    for (const machine of [school, router, home]) {
      ip("netns", "add", machine);
      within(machine, "link", "set", "lo", "up");
    }
    const network = new Network();
    cable([school, "school0", addresses.school], [router, "school1", addresses.routerAtSchool]);
    cable([home, "home0", network.#client()], [router, "home1", addresses.routerAtHome]);
    within(school, "route", "add", "default", "via", addresses.routerAtSchool);
    network.#routeFromHome();
    ip("netns", "exec", router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    return network;
  }

  static remove() {
    for (const machine of [school, router, home]) {
      try {
        ip("netns", "delete", machine);
      } catch {
        // It was not there.
      }
    }
  }

  /** Runs a program on the server's machine. */
  spawnServer(program, words, options) {
    return spawn("ip", ["netns", "exec", school, program, ...words], options);
  }

  /** Runs a program on the clients' machine to its end, and gives what it printed. */
  runClient(program, words) {
    return execFileSync("ip", ["netns", "exec", home, program, ...words], { encoding: "utf8" });
  }

  /** A file that runs `program` on the clients' machine, for those who can only be given a path. */
  clientProgram(program) {
    const path = join(mkdtempSync(join(tmpdir(), "lyceum-outages-")), "program");
    writeFileSync(path, `#!/bin/sh\nexec ip netns exec ${home} ${program} "$@"\n`);
    chmodSync(path, 0o755);
    return path;
  }

  /** The clients' own cable: their machines notice. */
  pullCable() {
    within(home, "link", "set", "home0", "down");
  }

  plugCable() {
    within(home, "link", "set", "home0", "up");
    this.#routeFromHome();
  }

  /** As in a tunnel: packets vanish on the way, and no machine is told so. */
  enterTunnel() {
    within(router, "route", "add", "blackhole", `${addresses.school}/32`);
    within(router, "route", "add", "blackhole", `${this.#client()}/32`);
  }

  leaveTunnel() {
    within(router, "route", "delete", "blackhole", `${addresses.school}/32`);
    within(router, "route", "delete", "blackhole", `${this.#client()}/32`);
  }

  /** As when a phone leaves one Wi-Fi for another: the old address is gone. */
  changeAddress() {
    within(home, "address", "delete", `${this.#client()}/24`, "dev", "home0");
    this.#host = this.#host === 2 ? 3 : 2;
    within(home, "address", "add", `${this.#client()}/24`, "dev", "home0");
  }

  #client() {
    return `10.77.1.${this.#host}`;
  }

  /** A route does not survive its cable. */
  #routeFromHome() {
    within(home, "route", "replace", "default", "via", addresses.routerAtHome);
  }
}

function cable([one, oneDevice, oneAddress], [other, otherDevice, otherAddress]) {
  ip("link", "add", oneDevice, "netns", one, "type", "veth", "peer", otherDevice, "netns", other);
  within(one, "address", "add", `${oneAddress}/24`, "dev", oneDevice);
  within(other, "address", "add", `${otherAddress}/24`, "dev", otherDevice);
  within(one, "link", "set", oneDevice, "up");
  within(other, "link", "set", otherDevice, "up");
}
