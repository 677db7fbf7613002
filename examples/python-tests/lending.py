"""A library that lends books."""


def lend(connection, title, borrower):
    """Lends a book if it is available. Returns True if it was."""
    update = "update books set borrower = %s where title = %s and borrower is null"
    return connection.execute(update, [borrower, title]).rowcount == 1
