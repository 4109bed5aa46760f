-- What a template found no value for, with the attempt that was sent all the same: [{ path, expression }]. Null nearly
-- always. `json`, because nobody searches it and the order is the template's.

alter table attempt add column warnings json;
