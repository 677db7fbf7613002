-- There is nothing in this file
/* but comments;
   \i none.sql
*/
--
   -- SELECT 1/0;
