# Runs programs at terminals of their own, one after another. Whenever the screen shows, after what was typed last, the first
# text of the next pair of the talk and a question's end, the second is typed; to a question for a secret once nothing is
# echoed any more. An answer `kill N` is that signal. Prints of each what was on the screen in the end, the exit code, and
# if the terminal is as it was before.
import json, os, pty, select, sys, termios, time

PATIENCE = 30


def run(order):
    program, talk, hidden = order["program"], order["talk"], order["hidden"]
    ready, go = os.pipe()
    child, terminal = pty.fork()
    if child == 0:
        os.read(ready, 1)
        os.chdir(order["folder"])
        for name, value in order["environment"].items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        os.execvp(program[0], program)
    before = termios.tcgetattr(terminal)
    os.write(go, b"1")
    screen, seen = "", 0

    def give_up(why):
        os.kill(child, 9)
        sys.exit(f"{why}: {screen}")

    while True:
        if not select.select([terminal], [], [], PATIENCE)[0]:
            give_up(f"waited in vain for {talk[:1]}")
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux's way to say that the other end is closed.
            part = b""
        if not part:
            break
        screen += part.decode()
        if talk and screen.find(talk[0][0], seen) >= 0 and screen.endswith(": "):
            seen = len(screen)
            asked, answer = talk.pop(0)
            end = time.monotonic() + PATIENCE
            while asked in hidden and termios.tcgetattr(terminal)[3] & termios.ECHO:
                if time.monotonic() > end:
                    give_up("what is typed is still shown")
                time.sleep(0.01)
            if answer.startswith("kill "):
                os.kill(child, int(answer[5:]))
            else:
                control = answer in ("\3", "\4")
                os.write(terminal, (answer if control else answer + "\n").encode())

    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if talk:
        sys.exit(f"was never asked for {talk[:1]}: {screen}")
    restored = termios.tcgetattr(terminal) == before
    for one in (ready, go, terminal):
        os.close(one)
    return screen, code, restored


print(json.dumps([run(order) for order in json.load(sys.stdin)]))
