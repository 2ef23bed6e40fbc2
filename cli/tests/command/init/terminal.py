# Runs a program at a terminal of its own. Whenever the screen shows, after what was typed last, the first text of the next
# pair of the talk and a question's end, the second is typed; to a question for a secret once nothing is echoed any more.
# An answer `kill N` is that signal. Prints what was on the screen in the end, the exit code, and if the terminal is as
# it was before.
import json, os, pty, select, sys, termios, time

PATIENCE = 30
order = json.loads(sys.argv[1])
program, talk, hidden = order["program"], order["talk"], order["hidden"]
ready, go = os.pipe()
child, terminal = pty.fork()
if child == 0:
    os.read(ready, 1)
    os.execvp(program[0], program)
before = termios.tcgetattr(terminal)
os.write(go, b"1")


def give_up(why):
    os.kill(child, 9)
    sys.exit(f"{why}: {screen}")


def until_hidden():
    end = time.monotonic() + PATIENCE
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        if time.monotonic() > end:
            give_up("what is typed is still shown")
        time.sleep(0.01)


screen, seen = "", 0
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
        if asked in hidden:
            until_hidden()
        if answer.startswith("kill "):
            os.kill(child, int(answer[5:]))
        else:
            control = answer in ("\3", "\4")
            os.write(terminal, (answer if control else answer + "\n").encode())

code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
if talk:
    sys.exit(f"was never asked for {talk[:1]}: {screen}")
print(json.dumps({"screen": screen, "code": code, "restored": termios.tcgetattr(terminal) == before}))
