"""Will it hold? When each application is back: a timetable of the real work, and simulated disasters."""
