"""What goes to standard output."""

from nbgate.cli.output import print_table


def test_a_table_is_aligned_and_clean(capsys):
    print_table(("name", "n"), [("ada", 1), ("a\x1bb", 22), ("", "")])

    assert "name    n\nada     1\na\\x1bb  22\n\n" == capsys.readouterr().out
