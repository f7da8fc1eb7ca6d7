//! Where instances run: this machine today, behind one small trait.
