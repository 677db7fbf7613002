from lending import lend


def test_a_book_is_lent_once(pg_ephemeral_connection):
    assert lend(pg_ephemeral_connection, "Emma", "Ann")
    assert not lend(pg_ephemeral_connection, "Emma", "Bob")
    pg_ephemeral_connection.commit()


def test_no_test_sees_what_another_did(pg_ephemeral_connection):
    assert lend(pg_ephemeral_connection, "Emma", "Bob")
    pg_ephemeral_connection.commit()
