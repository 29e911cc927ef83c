"""What help and manual say of each command beyond its options: examples, and what has to be known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Explanation:
    """Examples as (what is typed, what it does), and paragraphs of whole sentences, separated by empty lines."""

    examples: tuple[tuple[str, str], ...]
    more: str = ""


_PASSPHRASES: Final = (
    "The passphrase is asked for on the terminal. A script gives it with --passphrase-file, or in the environment "
    "variable CAPSA_PASSPHRASE (empty: there is none); it is never an argument, since everybody on a machine can read "
    "those."
)

EXPLANATIONS: Final = {
    "init": Explanation(
        (
            ("capsa init --name Ann", "asks for a passphrase, founds a network, and prints the recovery phrase"),
            ("capsa init --copies 1 --no-passphrase", "a network of two, and keys that lie open on the disk"),
        ),
        "The 24 words that it prints are the way back to your files when this machine is lost: write them down, and "
        f"show them to nobody. 'capsa kit' makes a page to print of them.\n\n{_PASSPHRASES}",
    ),
    "invite": Explanation(
        (
            ("capsa invite", "prints an invite that lets one person in within two days"),
            ("capsa invite --expires 2h > invite.txt", "one for the next two hours, into a file"),
        ),
        "An invite holds the network's secret and lets whoever has it in, once: send it by a way that others cannot "
        "read. You need not be online when it is used; any member's node admits the newcomer.",
    ),
    "card": Explanation(
        (
            ("capsa card", "prints the contact card"),
            ("capsa card > card.txt", "keeps it in a file, for the day on which you recover"),
        ),
        "A card says where the network is found, and lets nobody in. Together with the recovery phrase it brings your "
        "files back on a new machine; the addresses on it change with the members, so make a new one now and then.",
    ),
    "join": Explanation(
        (
            ("capsa join --name Ben --invite-file invite.txt", "become a member with the invite in a file"),
            ("capsa join --name Ben", "asks for the invite, so that no list of commands keeps it"),
        ),
        "Joining makes keys of your own: nobody in the network, whoever invited you included, can read your files. If "
        "no member answers just now, joining completes by itself when 'capsa up' runs.",
    ),
    "recover": Explanation(
        (
            ("capsa recover --kit kit.txt", "with a kit, which holds both the phrase and a card"),
            ("capsa recover --phrase-file words.txt capsa-card:…", "with a card, and the 24 words in a file"),
        ),
        "This machine becomes a further device of the same owner: all files are listed and can be fetched, and what "
        "is put here shows on the other devices. A lost device stays valid until it is revoked. The more members "
        "answer, the surer it is that nothing newer exists; fewer than three are told as a warning.",
    ),
    "kit": Explanation(
        (
            ("capsa kit -o kit.html", "a page to print, with a QR code"),
            ("capsa kit --format text | lpr", "to the printer, and onto no disk"),
        ),
        "Whoever has the kit can read all your files and act as you. Print it, put it where you keep passports, and "
        "delete the file.",
    ),
    "up": Explanation(
        (
            ("capsa up", "listen on port 4747, keep for others up to half of what is free"),
            ("capsa up --capacity 200GB --zone attic", "keep at most 200 GB, and say where this machine stands"),
            ("capsa up --listen none --peer tcp://192.0.2.7:4747", "only dial out, from behind any router"),
        ),
        "It runs until it gets SIGTERM or Ctrl-C, or until its terminal is closed: start it with nohup(1) to have it "
        "go on. What it was told is remembered in capsa.toml in the home and need not be given again. With "
        "--capacity 0 it keeps nothing for others. The members must be able to reach the addresses that it advertises; "
        "one member who can be reached is enough for all others.",
    ),
    "put": Explanation(
        (
            ("capsa put sea.jpg", "store a file under its own name"),
            ("capsa put -r photos", "a folder: photos/2024/sea.jpg and all the rest"),
            ("pg_dump shop | capsa put - --as backups/shop.sql", "what comes on stdin, under this key"),
            ("capsa put -r --exclude '*.tmp' --dry-run .", "tell what would be stored, without the folder's name"),
            ("capsa put sea.jpg --new-version", "the file as it is now, beside the version that is kept"),
        ),
        "The same bytes under the same key are a success that sends nothing but missing copies; other bytes are "
        "refused without --new-version. What was interrupted is taken up by running the same command again. More "
        "--copies than before are added; fewer take none away.\n\n"
        "What comes on stdin is stored as far as it came: a script looks whether the command that wrote it went well, "
        "as with set -o pipefail.\n\n"
        "A folder's keys begin with its own name; '.' has none. Links are stored as links and not followed, empty "
        "folders are kept, sockets and devices are skipped and named. What a file .capsaignore in a folder lists, one "
        "pattern a line as in .gitignore, is left out, as is what --exclude matches. A file whose size, time and inode "
        "are as they were is not read again, unless --reread asks for it. One bad file does not stop the rest.\n\n"
        "It ends with 4 if a file is stored in fewer copies than wanted: the node completes them, and 'capsa wait' "
        "waits for that.",
    ),
    "get": Explanation(
        (
            ("capsa get sea.jpg", "fetch a file here, under its own name"),
            ("capsa get -r photos -o restored", "a folder, to restored/photos/…"),
            ("capsa get --cap-file cap.txt -o sea.jpg", "with a cap that somebody shared"),
            ("capsa get film.mkv --range 0-1048575 -o -", "the first MiB, on stdout"),
            ("capsa get report.txt --version 1 -o old.txt", "an earlier version, as 'capsa history' counts them"),
        ),
        "Nothing is overwritten without --force, and a file appears under its name only when it is whole and checked. "
        "A fetch that was interrupted goes on where it stopped when the same command is run again.\n\n"
        "--range takes A-B (both ends included), A- (from there on) or -N (the last N bytes). With -r, all that lies "
        "under a prefix is fetched, links are restored only where they stay within the folder, and one bad file does "
        "not stop the rest.",
    ),
    "ls": Explanation(
        (
            ("capsa ls", "all keys"),
            ("capsa ls photos/2024/", "what lies in a folder"),
            ("capsa --json ls | jq -r .key", "the keys alone, for a script"),
        ),
        "PREFIX is the beginning of keys: photos finds photos2/sea.jpg too, photos/ does not.",
    ),
    "info": Explanation(
        (
            ("capsa info photos/2024/sea.jpg", "its size and time, and how many blocks each node proves to hold"),
            ("capsa --json info sea.jpg", "the same for a script"),
        ),
        "The members are asked for proof just then; who does not answer is not counted.",
    ),
    "history": Explanation(
        (
            ("capsa history report.txt", "all versions of a file, the newest first"),
            ("capsa --json history report.txt | jq -r .id", "the ids alone"),
        ),
        "A version goes by its number, 1 for the oldest, or by its id, of which the first ten characters are enough. "
        "Numbers of removed versions are not used again. A version that another device added before it was last heard "
        "of can still move numbers; an id never changes.",
    ),
    "share": Explanation(
        (
            ("capsa share photos/sea.jpg > cap.txt", "the cap of a file, into a file"),
            ("capsa share sea.jpg | ssh ben capsa get - -o sea.jpg", "straight to where it is used"),
        ),
        "A cap lets whoever has it, and a home in this network, read that one version of that one file, and nothing "
        "else. It cannot be taken back. Send it by a way that others cannot read.",
    ),
    "wait": Explanation(
        (
            ("capsa wait", "until nothing that this home stored is short of copies"),
            ("capsa wait backups/shop.sql --timeout 1h", "for one file, and for an hour at most"),
        ),
        "It ends with 0 when all copies are there, and with 4 when the time was up before. Without a running node "
        "the command itself completes them meanwhile.",
    ),
    "unlock": Explanation(
        (
            ("capsa unlock", "the node keeps the keys open for eight hours"),
            ("capsa unlock --for 30m --passphrase-file pass.txt", "for half an hour, with the passphrase in a file"),
        ),
        "Commands of this home then need no passphrase. The node keeps the keys in memory only: they are gone when it "
        f"ends, when the time is up, or at 'capsa lock'.\n\n{_PASSPHRASES}",
    ),
    "lock": Explanation(
        (
            ("capsa lock", "the node forgets the keys at once"),
            ("capsa --json lock", "the same, and says so in JSON"),
        ),
    ),
    "passphrase": Explanation(
        (
            ("capsa passphrase", "asks for the old passphrase, then for the new one twice"),
            ("capsa passphrase --remove", "keep the keys open on the disk from now on"),
        ),
        "The keys stay the same, so nothing that is stored is touched. Copies of the home that were made earlier still "
        "open with the old passphrase.",
    ),
    "peers": Explanation(
        (
            ("capsa peers", "every node: whose, where, how much room it has, when it was last heard"),
            ("capsa --json peers | jq '.nodes[].name'", "the names alone"),
        ),
    ),
    "status": Explanation(
        (
            ("capsa status", "in a word, then in figures"),
            ("capsa --json status | jq -r .health", "ok, degraded or alone: for a script that watches"),
        ),
    ),
    "top": Explanation(
        (
            ("capsa top", "until q or Ctrl-C is pressed"),
            ("capsa --json top --count 3 --interval 10s", "three looks, ten seconds apart, as JSON lines"),
        ),
    ),
    "doctor": Explanation(
        (
            ("capsa doctor", "look at the home, its clock, its disk, its ports and its peers"),
            ("capsa doctor > report.txt", "for whoever helps you: it holds no secret"),
        ),
    ),
    "demo": Explanation(
        (
            ("capsa demo", "five nodes, of which two die; the file comes back"),
            ("capsa demo --keep --size 10MB", "with a small file, and leave the network running"),
        ),
    ),
    "help": Explanation(
        (
            ("capsa help", "all commands, by purpose"),
            ("capsa help put", "one command: what it does, its options, examples"),
        ),
    ),
    "man": Explanation(
        (
            ("capsa man put | man -l -", "read the page of a command"),
            ("capsa man -o ~/.local/share/man/man1", "write all pages to where man(1) finds them"),
        ),
    ),
    "completion": Explanation(
        (
            ("capsa completion bash > ~/.local/share/bash-completion/completions/capsa", "for bash"),
            ("capsa completion zsh > ~/.zfunc/_capsa", "for zsh, where fpath has ~/.zfunc"),
            ("capsa completion fish > ~/.config/fish/completions/capsa.fish", "for fish"),
        ),
        "Commands, options and their values are completed, and stored keys while a node runs and the keys are open. It "
        "never asks for a passphrase.",
    ),
}
"""By command."""
