#!/usr/bin/env python3
"""Works the order of a performance's draw out again, from what is public alone.

A second implementation, which shares nothing with the system but the description in docs/fair-queue.md: Python's standard
library, no key, no account. It reads

    GET /v1/performances/<id>/draw            commitment, root, beacon, seed, number of entries; whether the seed was lost
    GET /v1/performances/<id>/draw/tickets    the tickets in the order that the draw is said to have given them

and checks that the seed is the one that was committed to, that the root is the one of just these tickets, and that the
order is the one that follows. With --receipt it also looks for the ticket of a receipt, and tells its number.

Exit code 0: the draw is as it must be. 3: it isn't. 1: it can't be read, or isn't over.
"""

import argparse
import hashlib
import hmac
import json
import sys
import urllib.error
import urllib.request

PAGE = 10_000
TIMEOUT_S = 30
NO_SEED = "00" * 32


def read(url):
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        return json.load(answer)


def fetch(base, performance):
    """The draw and all of its tickets."""
    root = f"{base.rstrip('/')}/v1/performances/{performance}/draw"
    draw = read(root)
    tickets = []
    while True:
        page = read(f"{root}/tickets?after={len(tickets)}&limit={PAGE}")["tickets"]
        tickets.extend(page)
        if len(page) < PAGE:
            return draw, tickets


def ticket_of(account, nonce):
    return hashlib.sha256(f"socketing-ticket-v1:{account}:{nonce}".encode()).hexdigest()


def root_of(tickets):
    digest = hashlib.sha256(b"socketing-draw-v1\n")
    for ticket in sorted(tickets):
        digest.update(bytes.fromhex(ticket))
    return digest.hexdigest()


def order_of(seed, root, beacon, tickets):
    key = bytes.fromhex(seed) + bytes.fromhex(root) + beacon.encode()
    score = lambda ticket: hmac.new(key, bytes.fromhex(ticket), hashlib.sha256).digest()
    return sorted(tickets, key=lambda ticket: (score(ticket), ticket))


def faults(draw, tickets):
    """What is wrong with a draw; nothing, if it is as it must be."""
    found = []
    lost = draw.get("seed_lost_position")
    if lost and (draw["seed"] != NO_SEED or not draw.get("beacon") or lost >= draw["revealed_position"]):
        found.append("the seed was lost, and the beacon alone didn't decide")
    if not lost and hashlib.sha256(bytes.fromhex(draw["seed"])).hexdigest() != draw["commitment"]:
        found.append("the seed isn't the one that was committed to")
    if draw["committed_position"] >= draw["closed_position"] or draw["closed_position"] >= draw["revealed_position"]:
        found.append("commitment, root and seed were not published in this order")
    if len(tickets) != draw["entries"]:
        found.append(f"{len(tickets)} tickets are listed, and {draw['entries']} were drawn")
    if len(set(tickets)) != len(tickets):
        found.append("a ticket is listed twice")
    root = root_of(tickets)
    if root != draw["root"]:
        found.append(f"the root of the listed tickets is {root}, and {draw['root']} was published")
    expected = order_of(draw["seed"], draw["root"], draw.get("beacon") or "", tickets)
    wrong = [number for number, pair in enumerate(zip(tickets, expected), 1) if pair[0] != pair[1]]
    if wrong:
        found.append(f"{len(wrong)} tickets have another number than the seed gives them, the first of them number {wrong[0]}")
    return found


def own_number(path, tickets):
    """The number of a receipt's ticket, which is made again from what the receipt says."""
    with open(path, encoding="utf-8") as file:
        receipt = json.loads(json.load(file)["statement"])
    ticket = ticket_of(receipt["account_id"], receipt["entry_id"])
    if ticket != receipt["ticket"]:
        sys.exit("the receipt's ticket isn't the one of its account and nonce")
    return tickets.index(ticket) + 1 if ticket in tickets else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("performance", help="the performance's id")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the system is")
    parser.add_argument("--file", help='read {"draw": …, "tickets": […]} from a file instead of asking')
    parser.add_argument("--receipt", help="a receipt, as the system gave it")
    args = parser.parse_args()
    try:
        if args.file:
            with open(args.file, encoding="utf-8") as file:
                public = json.load(file)
            draw, tickets = public["draw"], public["tickets"]
        else:
            draw, tickets = fetch(args.url, args.performance)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"the draw can't be read: {error}")
    if not draw.get("seed"):
        sys.exit("the seed isn't published yet: the draw isn't over")
    found = faults(draw, tickets)
    if draw.get("seed_lost_position"):
        print(f"NOTE: the seed was lost, says the log at {draw['seed_lost_position']} ({draw['seed_lost_reason']}): the beacon alone")
        print(f"decided; look up that {draw['beacon_source']!r} said {draw.get('beacon')!r}, and when")
    for fault in found:
        print(f"FAILED: {fault}")
    if args.receipt:
        number = own_number(args.receipt, tickets)
        print(f"the receipt's ticket has number {number}" if number else "FAILED: the receipt's ticket isn't in the list")
        found = found or ([] if number else ["missing"])
    if found:
        return 3
    print(f"{len(tickets)} tickets, seed {draw['seed']}: the order is the one that follows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
