-- What a member is for good while a link gives them more for a time.
ALTER TABLE members ADD COLUMN lasting_role TEXT COLLATE "C";      -- viewer | editor: the role once `expires_at` or the link has passed; NULL: none
